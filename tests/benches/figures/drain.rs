//! What an outage costs to send, and how fast it is sent: a backlog drains over slow links, an alarm overtakes it, and
//! the batch of one minute stands beside what others send of it. Wire bytes are those of TCP payload: TLS and HTTP are in
//! them, the headers of TCP and IP are not. The gateway is played: its journal is filled with [`series`], as it would be.

mod minute;
mod outage;
mod site;

#[path = "../../../sync/batch/benches/encoding/floor.rs"]
#[expect(clippy::unwrap_used, reason = "synthetic values of known size")]
mod floor;
#[path = "../../../sync/batch/benches/encoding/series.rs"]
#[expect(clippy::unwrap_used, reason = "synthetic values of known size")]
mod series;

use std::io;
use std::time::Duration;

use outage::Outage;
use site::Site;

use crate::Plan;

/// Sensors of the box; each says [`series::QUANTITIES`] once a minute.
const SENSORS: usize = 40;
const FRAMES_PER_DAY: f64 = SENSORS as f64 * 1_440.0;
/// A part of the backlog for links that need long: so many bytes a second drain this part of it.
const LINKS: [(&str, u64, f64); 3] =
    [("64 kbit/s", 8_000, 0.1), ("1 Mbit/s", 125_000, 1.0), ("10 Mbit/s", 1_250_000, 1.0)];
/// From one end of the link to the other: loopback's own, and that of a mobile network.
const DELAYS_MS: [u64; 2] = [0, 50];

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    println!(
        "{SENSORS} sensors, {} quantities a minute; outage of {} days (--days N; the slowest link drains a tenth of it, --link KBIT one link all)",
        series::QUANTITIES.len(),
        plan.days
    );
    println!(
        "data        link       delay ms  readings    wire MB  drain s  link use %  B/reading  ×floor  \
         floor  csv.zst-19  sync CPU %  RSS peak MiB"
    );
    if let Some(kbit_per_s) = plan.link_kbit_per_s {
        let frames = (plan.days * FRAMES_PER_DAY) as usize;
        let link = format!("{kbit_per_s} kbit/s");
        return Outage::new(plan, frames, false)?.drain("continuous", &link, kbit_per_s * 125, DELAYS_MS[1]);
    }
    for (data, is_held) in [("continuous", false), ("held", true)] {
        for (link, bytes_per_s, part) in LINKS {
            let frames = (plan.days * FRAMES_PER_DAY * part) as usize;
            for delay_ms in DELAYS_MS {
                let outage = Outage::new(plan, frames, is_held)?;
                outage.drain(data, link, bytes_per_s, delay_ms)?;
            }
        }
    }
    println!("aim: at most 1.2 × the floor, at least 85 % of the link, at most 20 % of a core at 10 Mbit/s");
    alarm(plan)?;
    first_byte(plan)?;
    minute::run(plan)
}

/// Raised in the middle of a drain to both platforms over one link.
fn alarm(plan: &Plan) -> io::Result<()> {
    let mut times = Vec::new();
    for round in 0..plan.rounds {
        let mut site = Site::new(plan, &["city", "province"])?;
        site.fill(&mut series::Series::new(SENSORS, false), 4_000, |_, _| Ok(()))?;
        site.relays[0].limit(2_000, 50);
        site.start_sync()?;
        // Each round at another place within the batch that is on its way.
        site.until_passed(20_000 + 700 * round as u64)?;
        times.push(site.raise_alarm()?);
    }
    let seconds = |time: &Duration| format!("{:.1}", time.as_secs_f64());
    println!(
        "\nalarm in mid-drain over 2 kB/s, 50 ms each way, until both platforms gave their receipt, s: {} (aim 5)",
        times.iter().map(seconds).collect::<Vec<_>>().join(" ")
    );
    Ok(())
}

/// After an hour without a link, which the box is told is back.
fn first_byte(plan: &Plan) -> io::Result<()> {
    let mut site = Site::new(plan, &["city"])?;
    site.fill(&mut series::Series::new(SENSORS, false), 2_400, |_, _| Ok(()))?;
    site.relays[0].set_up(false);
    site.start_sync()?;
    std::thread::sleep(Duration::from_secs(plan.seconds));
    let (told, answered) = site.link_returns()?;
    println!(
        "first byte of the backlog {:.0} ms after the link is back, first receipt {:.0} ms (aim 2,000)",
        told.as_secs_f64() * 1e3,
        answered.as_secs_f64() * 1e3
    );
    Ok(())
}
