//! MAC commands (LoRaWAN 1.0.4 §5, 1.1 §5): what a device asks and reports, what it is answered, and what we ask of it.
//!
//! ```text
//! Uplink::mac_commands ─► mac::parse ─► Vec<UplinkCommand> ─► MacState::heard ─► Vec<Learned>
//!                                                 └─► mac::answer ──┐
//! Wanted ─► MacState::requests ───────────────────────────────────┴─► FOpts of the next DataDown
//! ```
//! In FOpts the answers come first: a device that waits for one rejoins or resets if it stays out.

mod answer;
mod gps_time;
mod learned;
mod request;
mod state;
mod uplink_command;
mod wanted;
mod windows;

pub use answer::{AnswerContext, answer, demodulation_floor_ddb};
pub use gps_time::GpsTime;
pub use learned::{Learned, Power};
pub use request::{REQUEST_BYTES_MAX, Request};
pub use state::{Asked, MacState, REQUEST_ATTEMPTS_MAX};
pub use uplink_command::{Parsed, UplinkCommand, parse};
pub use wanted::{DEV_STATUS_INTERVAL_MS, Wanted};

#[cfg(test)]
mod tests;
