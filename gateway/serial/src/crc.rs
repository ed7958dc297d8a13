//! CRC-16/IBM-3740, also known as CCITT-FALSE: polynomial 0x1021, start 0xFFFF, not reflected, nothing added.

/// The CRC of `bytes`.
pub(crate) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    /// The check value of the catalogue of parametrised CRC algorithms.
    #[test]
    fn check_value() {
        assert_eq!(super::crc16(b"123456789"), 0x29b1);
    }
}
