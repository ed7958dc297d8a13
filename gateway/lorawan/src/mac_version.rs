//! Which LoRaWAN L2 specification a device was built to.

/// A version of the LoRaWAN L2 specification (TS001), as it stands on a device's data sheet.
///
/// It decides how keys are derived, which nonces are refused, and what a MIC covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum MacVersion {
    /// LoRaWAN 1.0.2: random DevNonces.
    #[serde(rename = "1.0.2")]
    V1_0_2,
    /// LoRaWAN 1.0.3: random DevNonces.
    #[serde(rename = "1.0.3")]
    V1_0_3,
    /// LoRaWAN 1.0.4: DevNonces count up.
    #[serde(rename = "1.0.4")]
    V1_0_4,
    /// LoRaWAN 1.1: two root keys, four session keys.
    #[serde(rename = "1.1")]
    V1_1,
}

impl MacVersion {
    /// As data sheets and the device table spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            MacVersion::V1_0_2 => "1.0.2",
            MacVersion::V1_0_3 => "1.0.3",
            MacVersion::V1_0_4 => "1.0.4",
            MacVersion::V1_1 => "1.1",
        }
    }

    /// DevNonce is a counter (1.0.4 §6.2.4, 1.1 §6.2.5), not a random number.
    pub fn dev_nonce_counts(self) -> bool {
        matches!(self, MacVersion::V1_0_4 | MacVersion::V1_1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_the_standard_is_called() {
        for (text, version) in [
            ("\"1.0.2\"", MacVersion::V1_0_2),
            ("\"1.0.3\"", MacVersion::V1_0_3),
            ("\"1.0.4\"", MacVersion::V1_0_4),
            ("\"1.1\"", MacVersion::V1_1),
        ] {
            assert_eq!(serde_json::from_str::<MacVersion>(text).unwrap(), version);
            assert_eq!(serde_json::to_string(&version).unwrap(), text);
        }
        assert!(serde_json::from_str::<MacVersion>("\"1.0.1\"").is_err());
    }
}
