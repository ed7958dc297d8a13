//! `[[serial]]`: ports with transparent LoRa modules.

use std::path::PathBuf;

use serde::Deserialize;

/// Most serial ports of one box: a USB hub's worth.
pub(super) const PORTS_MAX: usize = 8;
/// Longest name of a port, in bytes: it stands in every record of its frames.
const NAME_BYTES_MAX: usize = 64;
/// Slowest and fastest rate that modules of the E22 and E32 class and common adapters have.
pub(super) const BAUD_MIN: u32 = 1_200;
pub(super) const BAUD_MAX: u32 = 921_600;

/// A serial port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serial {
    /// What its records and status call it: 1 to 64 of `A-Z a-z 0-9 _ . -`.
    pub name: String,
    /// The device file, relative to this file; one of `/dev/serial/by-id` stays the same when adapters are swapped.
    pub path: PathBuf,
    /// Bits per second between the box and the module, 1,200 to 921,600; 8 data bits, no parity, 1 stop bit.
    #[serde(default = "default_baud")]
    pub baud: u32,
    /// Whether to open it at all.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
}

/// What the modules are delivered with.
fn default_baud() -> u32 {
    9_600
}

fn default_enabled() -> bool {
    true
}

impl Serial {
    pub(super) fn has_a_name(&self) -> bool {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        (1..=NAME_BYTES_MAX).contains(&self.name.len()) && self.name.bytes().all(legal)
    }
}
