//! What a device says in MAC commands. It is read here, not by `lrwn`, whose 4.13.0 overflows on a DevStatusAns with a
//! margin byte above 127: FOpts are plain text in 1.0.x, and a device may send anything.

/// A MAC command of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UplinkCommand {
    /// `01` (1.1, ABP): the device has lost what it was told; it speaks 1.`minor`.
    ResetInd {
        /// Minor version.
        minor: u8,
    },
    /// `02`: how well am I heard?
    LinkCheckReq,
    /// `03`: answers one LinkADRReq. Bits: 0 channel mask, 1 data rate, 2 power; all set: it is done, else nothing is.
    LinkAdrAns {
        /// The three bits.
        status: u8,
    },
    /// `04`: DutyCycleReq is done.
    DutyCycleAns,
    /// `05`: answers RXParamSetupReq. Bits: 0 frequency, 1 RX2 data rate, 2 RX1 offset; all set: done, else nothing is.
    RxParamSetupAns {
        /// The three bits.
        status: u8,
    },
    /// `06`: the device's state.
    DevStatusAns {
        /// 0 external power, 1 to 254 from empty to full, 255 unknown.
        battery: u8,
        /// SNR of our last DevStatusReq at the device, −32 to 31 dB.
        margin_db: i8,
    },
    /// `07`: answers NewChannelReq. Bits: 0 frequency, 1 data rates; both set: done, else nothing is.
    NewChannelAns {
        /// The two bits.
        status: u8,
    },
    /// `08`: RXTimingSetupReq is done.
    RxTimingSetupAns,
    /// `0b` (1.1): the first words under new session keys; the device speaks 1.`minor`.
    RekeyInd {
        /// Minor version.
        minor: u8,
    },
    /// `0d`: what time is it?
    DeviceTimeReq,
    /// A command of the standard that answers nothing we send, or asks for what is not served (class B, relay).
    Other {
        /// Command identifier.
        cid: u8,
    },
}

/// What was read of a device's MAC commands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// In the order in which they stand.
    pub commands: Vec<UplinkCommand>,
    /// Bytes from the first command on that is unknown or cut short: its length is unknown, so reading ends there (1.0.4
    /// §5). 0 if all was read.
    pub unread_bytes: usize,
}

/// Reads MAC commands of an uplink, in plain text ([`Uplink::mac_commands`](crate::Uplink::mac_commands)). Any bytes are
/// answered.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    let mut rest = bytes;
    while let Some((cid, after)) = rest.split_first() {
        let Some((payload, after)) = payload_bytes(*cid).and_then(|length| after.split_at_checked(length)) else {
            break;
        };
        parsed.commands.push(command(*cid, payload));
        rest = after;
    }
    parsed.unread_bytes = rest.len();
    parsed
}

/// Bytes after the command identifier (1.1 §5 table 6; 1.0.4's are among them); none for an unknown one.
fn payload_bytes(cid: u8) -> Option<usize> {
    Some(match cid {
        0x02 | 0x04 | 0x08 | 0x09 | 0x0c | 0x0d | 0x12 => 0,
        0x01 | 0x03 | 0x05 | 0x07 | 0x0a | 0x0b | 0x0f | 0x10 | 0x11 | 0x13 | 0x20 => 1,
        0x06 => 2,
        _ => return None,
    })
}

fn command(cid: u8, payload: &[u8]) -> UplinkCommand {
    match (cid, payload) {
        (0x01, [version]) => UplinkCommand::ResetInd { minor: version & 0x0f },
        (0x02, []) => UplinkCommand::LinkCheckReq,
        (0x03, [status]) => UplinkCommand::LinkAdrAns { status: status & 0b111 },
        (0x04, []) => UplinkCommand::DutyCycleAns,
        (0x05, [status]) => UplinkCommand::RxParamSetupAns { status: status & 0b111 },
        (0x06, [battery, margin]) => UplinkCommand::DevStatusAns { battery: *battery, margin_db: six_bits(*margin) },
        (0x07, [status]) => UplinkCommand::NewChannelAns { status: status & 0b11 },
        (0x08, []) => UplinkCommand::RxTimingSetupAns,
        (0x0b, [version]) => UplinkCommand::RekeyInd { minor: version & 0x0f },
        (0x0d, []) => UplinkCommand::DeviceTimeReq,
        _ => UplinkCommand::Other { cid },
    }
}

/// A two's complement number in the low six bits.
fn six_bits(byte: u8) -> i8 {
    (byte << 2).cast_signed() >> 2
}
