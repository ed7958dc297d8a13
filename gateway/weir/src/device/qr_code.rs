//! The QR code on a LoRaWAN device (LoRa Alliance TR005, "LoRaWAN Device Identification QR Codes").
//!
//! `LW:D0:<JoinEUI>:<DevEUI>:<profile>[:O<owner token>][:S<serial>][:P<proprietary>][:C<checksum>]`. It names the device;
//! its root key is never in it and comes from the maker's delivery sheet.

use lorawan::Eui64;

/// Longest text read, in bytes: the largest QR code that a phone reads off a small label holds less.
const BYTES_MAX: usize = 512;

/// What a QR code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QrCode {
    /// JoinEUI.
    pub(crate) join_eui: Eui64,
    /// DevEUI.
    pub(crate) dev_eui: Eui64,
    /// Vendor and profile as the LoRa Alliance numbers them, 8 hex digits.
    pub(crate) profile: String,
    /// The maker's serial number.
    pub(crate) serial: Option<String>,
}

/// Why a text is no such code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QrCodeError {
    /// Another QR code, or an older form of it.
    #[error(
        "not a LoRaWAN device QR code (LW:D0:JoinEUI:DevEUI:profile…) · try: give --dev-eui and --join-eui as printed"
    )]
    Form,
    /// An EUI is not 16 hex digits.
    #[error("the QR code's {field} is not 16 hex digits · try: scan it again")]
    Eui {
        /// JoinEUI or DevEUI.
        field: &'static str,
    },
    /// The vendor and profile number is not 8 hex digits.
    #[error("the QR code's profile is not 8 hex digits · try: scan it again")]
    Profile,
    /// The CRC does not fit the text.
    #[error("the QR code's checksum is {found}, its text gives {expected} · try: scan it again, a character is wrong")]
    Checksum {
        /// As it stands.
        found: String,
        /// As it should stand.
        expected: String,
    },
}

impl std::str::FromStr for QrCode {
    type Err = QrCodeError;

    fn from_str(text: &str) -> Result<QrCode, QrCodeError> {
        let text = text.trim();
        let body = text.strip_prefix("LW:D0:").filter(|_| text.len() <= BYTES_MAX).ok_or(QrCodeError::Form)?;
        let mut parts = body.split(':');
        let mut next = || parts.next().ok_or(QrCodeError::Form);
        let join_eui = next()?.parse().map_err(|_| QrCodeError::Eui { field: "JoinEUI" })?;
        let dev_eui = next()?.parse().map_err(|_| QrCodeError::Eui { field: "DevEUI" })?;
        let profile = next()?;
        if profile.len() != 8 || !profile.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(QrCodeError::Profile);
        }
        let mut serial = None;
        for part in parts {
            match part.split_at_checked(1) {
                Some(("S", value)) => serial = Some(value.to_owned()),
                Some(("C", found)) => check(text, found)?,
                // Owner token and proprietary part are of no use here; later versions may add others.
                Some(_) => {}
                None => return Err(QrCodeError::Form),
            }
        }
        Ok(QrCode { join_eui, dev_eui, profile: profile.to_owned(), serial })
    }
}

/// The checksum stands last, over all that stands before it.
fn check(text: &str, found: &str) -> Result<(), QrCodeError> {
    let covered = text.strip_suffix(found).and_then(|rest| rest.strip_suffix(":C")).ok_or(QrCodeError::Form)?;
    let expected = format!("{:04X}", crc16_modbus(covered.as_bytes()));
    match expected.eq_ignore_ascii_case(found) {
        true => Ok(()),
        false => Err(QrCodeError::Checksum { found: found.to_owned(), expected }),
    }
}

/// CRC-16/MODBUS: polynomial 0x8005 reflected, all ones at first.
fn crc16_modbus(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xa001 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of TR005.
    const EXAMPLE: &str = "LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB1122:OAABBCCDDEEFF:SYYWWNNNNNN:PFOOBAR:CAF2C";

    #[test]
    fn the_example_of_the_standard() {
        let code: QrCode = EXAMPLE.parse().unwrap();
        assert_eq!(code.join_eui.to_string(), "1122334455667788");
        assert_eq!(code.dev_eui.to_string(), "aabbccddeeff0011");
        assert_eq!((code.profile.as_str(), code.serial.as_deref()), ("AABB1122", Some("YYWWNNNNNN")));
        let short: QrCode = "LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB1122\n".parse().unwrap();
        assert_eq!((short.dev_eui, short.serial), (code.dev_eui, None));
    }

    #[test]
    fn every_wrong_character_is_found() {
        for at in 0..EXAMPLE.len() {
            let mut text = EXAMPLE.as_bytes().to_vec();
            text[at] = if text[at] == b'7' { b'6' } else { b'7' };
            let text = String::from_utf8(text).unwrap();
            let read = text.parse::<QrCode>();
            // Without its `C` the checksum is a part that nobody knows: then there is no checksum to fail.
            let unchecked = at == EXAMPLE.len() - 5 || at == EXAMPLE.len() - 6;
            assert!(read.is_err() || unchecked, "{text}");
        }
    }

    #[test]
    fn other_codes_say_what_to_do() {
        let check = |text: &str, expected: &str| {
            assert!(text.parse::<QrCode>().unwrap_err().to_string().contains(expected), "{text}");
        };
        check("https://example.org/device/7", "--dev-eui");
        check("LW:D0:1122334455667788", "--dev-eui");
        check("LW:D0:112233445566778:AABBCCDDEEFF0011:AABB1122", "JoinEUI");
        check("LW:D0:1122334455667788:AABBCCDDEEFF00:AABB1122", "DevEUI");
        check("LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB11", "profile");
        check(&EXAMPLE.replace("CAF2C", "CAF2D"), "AF2C");
        check(&format!("LW:D0:{}", "1".repeat(600)), "--dev-eui");
    }
}
