//! Damage done to good bytes, and what a run of it costs.

#[path = "../../../lorawan/tests/flood/rng.rs"]
mod rng;

use std::time::Instant;

pub(crate) use rng::Rng;

/// Inputs after which memory is looked at: what leaks a byte in each shows as a megabyte.
const ROUND: u64 = 1_000_000;

/// Nothing here is longer.
const BYTES_MAX: usize = 1_024;

/// Hurts `bytes` in one to four places: bits, bytes, lengths, order; sometimes not at all.
pub(crate) fn damage(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.below(5) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => bytes[at] = *[0, 0x7F, 0x80, 0xFF].get(rng.below(4)).unwrap_or(&0),
            2 => bytes.truncate(at),
            3 => {
                let more = 1 + rng.below(8);
                bytes.splice(at..at, rng.bytes(more));
            }
            4 => {
                let length = rng.below(16).min(bytes.len() - at);
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let end = (at + rng.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes.truncate(BYTES_MAX);
}

/// Runs `input` as often as the command line says (`--NAME N`, a million if it does not), and prints after each million
/// how many a second there were, how many were taken, and the memory.
pub(crate) fn run(name: &str, mut input: impl FnMut(&mut Rng) -> bool) {
    let option = format!("--{name}");
    let asked = std::env::args().skip_while(|argument| *argument != option).nth(1);
    let all: u64 = asked.and_then(|count| count.parse().ok()).unwrap_or(ROUND);
    println!("{name:>10}  {name}/s      taken  resident kB");
    let (mut rng, mut done) = (Rng(1), 0);
    while done < all {
        let round = ROUND.min(all - done);
        let begin = Instant::now();
        let taken = (0..round).filter(|_| input(&mut rng)).count();
        done += round;
        let per_s = round as f64 / begin.elapsed().as_secs_f64();
        println!("{done:>10}  {per_s:>9.0}  {taken:>9}  {:>11}", resident_kb());
    }
}

/// 0 where the kernel does not say.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
