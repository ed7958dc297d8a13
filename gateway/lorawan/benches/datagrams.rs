//! Hostile datagrams a second, and whether memory stays flat: `cargo bench -p lorawan -- --datagrams 10000000`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock, its arguments and its own size")]

#[path = "../tests/flood/mod.rs"]
mod flood;

use std::time::Instant;

/// Rounds, each by its own seed: memory is compared between them.
const ROUNDS: u64 = 10;

fn main() {
    let asked = std::env::args().skip_while(|argument| argument != "--datagrams").nth(1);
    let datagrams: u64 = asked.and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    println!("round  datagrams/s  admitted  frames   downlinks  resident kB");
    for seed in 1..=ROUNDS {
        let begin = Instant::now();
        let tally = flood::flood(seed, datagrams / ROUNDS);
        let per_s = tally.datagrams as f64 / begin.elapsed().as_secs_f64();
        let flood::Tally { admitted, uplinks, data_frames, downlinks, .. } = tally;
        println!(
            "{seed:>5}  {per_s:>11.0}  {admitted:>8}  {uplinks:>6} ({data_frames} data)  {downlinks:>9}  {:>11}",
            resident_kb()
        );
    }
}

/// 0 where the kernel does not say.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
