//! Cayenne Low Power Payload: channel (1 byte), type (1 byte), value (as long as the type says), repeated.
//!
//! ```text
//! 03 67 01 10   05 67 00 ff        channel 3: temperature 27.2 °C; channel 5: temperature 25.5 °C
//! │  │  └──┴─ 272 × 0.1, big-endian
//! │  └─ type 103
//! └─ channel
//! ```

use record::{Decimal, Quantity, Unit};
use serde::Deserialize;

use super::cayenne_type::{Axis, LppType};
use super::f_ports::FPorts;
use super::measured::{Found, Scaling, Target, quantity, require_known};
use super::{CodecError, DecodeError, Decoded, READINGS_MAX};

/// `kind = "cayenne_lpp"`. Without `channels` every value is named by its type and channel: `temperature_3`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CayenneLpp {
    /// What the channels of this device measure.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// The LoRaWAN ports that carry measurements; empty for all.
    #[serde(default)]
    pub f_ports: FPorts,
}

/// What one channel measures. Types of several values add their axis to the name: `_x`, `_latitude`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// The channel's number.
    pub channel: u8,
    /// The type's number, where a channel carries several.
    #[serde(default, rename = "type")]
    pub lpp_type: Option<u8>,
    /// What it measures.
    #[serde(deserialize_with = "quantity")]
    pub quantity: Quantity,
    /// In what, after `scale`; the type's own unit if absent.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// Factor from the type's own unit; 1 if absent.
    #[serde(default)]
    pub scale: Option<Decimal>,
    /// Least plausible value.
    #[serde(default)]
    pub min: Option<Decimal>,
    /// Greatest plausible value.
    #[serde(default)]
    pub max: Option<Decimal>,
}

/// Why bytes are not Cayenne LPP. Offsets count from 0. Half a frame is not kept: behind an unknown type, whose
/// length nobody knows, every value could be a wrong one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LppError {
    /// No bytes.
    #[error("payload is empty: check the sensor's configuration")]
    Empty,
    /// A type without a length.
    #[error("byte {at}: channel {channel} has type {lpp_type}, which Cayenne LPP does not have: choose another codec")]
    UnknownType {
        /// Of the type byte.
        at: usize,
        /// The channel before it.
        channel: u8,
        /// The type.
        lpp_type: u8,
    },
    /// The payload ends within a value.
    #[error("byte {at}: type {lpp_type} ({name}) needs {need} bytes and {have} are left: the frame was cut")]
    Truncated {
        /// Where the value begins.
        at: usize,
        /// The type.
        lpp_type: u8,
        /// Its name.
        name: &'static str,
        /// Bytes it needs.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// A channel without its type.
    #[error("byte {at}: channel {channel} has no type behind it: the frame was cut")]
    NoType {
        /// Of the channel byte.
        at: usize,
        /// The channel.
        channel: u8,
    },
    /// The configured name has no room for the axis; [`super::Codec::validate`] finds this beforehand.
    #[error("byte {at}: `{name}` cannot be the name of a reading: shorten it in `[device.codec]`")]
    Name {
        /// Where the value begins.
        at: usize,
        /// The name.
        name: String,
    },
}

impl CayenneLpp {
    pub(super) fn decode(&self, payload: &[u8], f_port: Option<u8>) -> Result<Decoded, DecodeError> {
        self.f_ports.check(f_port)?;
        if payload.is_empty() {
            return Err(LppError::Empty.into());
        }
        let mut decoded = Decoded::default();
        let mut rest = payload;
        while let Some((&channel, typed)) = rest.split_first() {
            let at = payload.len() - rest.len();
            let (&code, valued) = typed.split_first().ok_or(LppError::NoType { at, channel })?;
            let unknown = LppError::UnknownType { at: at + 1, channel, lpp_type: code };
            let lpp_type = LppType::of(code).ok_or(unknown)?;
            let need = lpp_type.bytes();
            let (value, behind) = valued.split_at_checked(need).ok_or(LppError::Truncated {
                at: at + 2,
                lpp_type: code,
                name: lpp_type.name,
                need,
                have: valued.len(),
            })?;
            self.read(lpp_type, channel, at + 2, value, &mut decoded)?;
            if decoded.readings.len() > READINGS_MAX {
                return Err(DecodeError::TooManyReadings);
            }
            rest = behind;
        }
        Ok(decoded)
    }

    /// The values of one type, one for each axis.
    fn read(
        &self,
        lpp_type: &LppType,
        channel: u8,
        at: usize,
        mut bytes: &[u8],
        decoded: &mut Decoded,
    ) -> Result<(), LppError> {
        let mapped = self.channel(channel, lpp_type.code);
        for axis in lpp_type.axes {
            let (value, behind) = bytes.split_at(axis.bytes);
            bytes = behind;
            let name = match mapped {
                Some(mapped) => named(mapped.quantity.as_str(), axis),
                None => named(&format!("{}_{channel}", lpp_type.name), axis),
            };
            let (Ok(quantity), Ok(own_unit)) = (Quantity::new(&name), Unit::new(axis.unit)) else {
                return Err(LppError::Name { at, name });
            };
            let unit = mapped.and_then(|mapped| mapped.unit.as_ref()).unwrap_or(&own_unit);
            let target = Target { quantity: &quantity, unit, scaling: Channel::scaling(mapped) };
            decoded.measure(&target, axis.value(value).map_or(Found::Nothing, Found::Number), None);
        }
        Ok(())
    }

    /// An entry for this very type goes before one for the whole channel.
    fn channel(&self, channel: u8, lpp_type: u8) -> Option<&Channel> {
        let of = |lpp_type| self.channels.iter().find(move |c| c.channel == channel && c.lpp_type == lpp_type);
        of(Some(lpp_type)).or_else(|| of(None))
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        if self.channels.len() > READINGS_MAX {
            return Err(CodecError::TooMany { key: "channels", count: self.channels.len() });
        }
        for (place, channel) in self.channels.iter().enumerate() {
            channel.validate(&self.channels[..place], format!("channels[{place}]"))?;
        }
        Ok(())
    }
}

impl Channel {
    fn validate(&self, earlier: &[Channel], key: String) -> Result<(), CodecError> {
        if let Some(unit) = &self.unit {
            require_known(unit, &key)?;
        }
        Channel::scaling(Some(self)).validate(&key)?;
        if let Some(lpp_type) = self.lpp_type.filter(|code| LppType::of(*code).is_none()) {
            return Err(CodecError::UnknownType { key, lpp_type, known: LppType::known() });
        }
        // The longest axis fits, so every axis does, whatever type the device sends.
        let longest = format!("{}_longitude", self.quantity);
        if Quantity::new(&longest).is_err() {
            return Err(CodecError::LongQuantity { key, quantity: longest });
        }
        if earlier.iter().any(|other| (other.channel, other.lpp_type) == (self.channel, self.lpp_type)) {
            return Err(CodecError::DuplicateChannel { key, channel: self.channel });
        }
        if earlier.iter().any(|other| other.quantity == self.quantity) {
            return Err(CodecError::DuplicateQuantity { key, quantity: self.quantity.to_string() });
        }
        Ok(())
    }

    fn scaling(mapped: Option<&Channel>) -> Scaling {
        Scaling {
            scale: mapped.and_then(|channel| channel.scale),
            offset: None,
            min: mapped.and_then(|channel| channel.min),
            max: mapped.and_then(|channel| channel.max),
        }
    }
}

fn named(quantity: &str, axis: &Axis) -> String {
    if axis.name.is_empty() { quantity.to_owned() } else { format!("{quantity}_{}", axis.name) }
}

#[cfg(test)]
mod tests {
    use crate::codec::tests::{check_config, check_on_port};
    use expect_test::{Expect, expect};

    fn check(config: &str, payload: &str, expected: Expect) {
        let config = format!("kind = \"cayenne_lpp\"\n{config}");
        check_on_port(&config, &hex::decode(payload).unwrap(), Some(2), expected);
    }

    #[test]
    fn the_published_examples() {
        check(
            "",
            "03670110056700ff",
            expect![[r#"
            temperature_3 27.2 Cel good
            temperature_5 25.5 Cel good
        "#]],
        );
        check(
            "",
            "0167fef0020204d2030001",
            expect![[r#"
            temperature_1 -27.2 Cel good
            analog_input_2 12.34 1 good
            digital_input_3 1 1 good
        "#]],
        );
        // From myDevices' own description: accelerometer 1.234 G, -1.234 G, 0 G; location 42.3519, -87.9094, 10 m.
        check(
            "",
            "067104d2fb2e0000",
            expect![[r#"
            accelerometer_6_x 12.1014061 m/s2 good
            accelerometer_6_y -12.1014061 m/s2 good
            accelerometer_6_z 0 m/s2 good
        "#]],
        );
        check(
            "",
            "018806765ff2960a0003e8",
            expect![[r#"
            location_1_latitude 42.3519 deg good
            location_1_longitude -87.9094 deg good
            location_1_altitude 10 m good
        "#]],
        );
    }

    #[test]
    fn every_other_type_has_its_factor() {
        let all = "000101 0003fb2e 0064ffffffff 0065ffff 006601 0068c9 0073274c 007404d2 007504d2 0076000000ff 007864 \
                   0079ff38 007afffc18 007d01a4 0080ffff 0082000004d2 0083000004d2 0084010e 008565550000 \
                   008604d2fb2e0000 0087ff8000 008e01";
        check(
            "",
            &all.replace(' ', ""),
            expect![[r#"
            digital_output_0 1 1 good
            analog_output_0 -12.34 1 good
            generic_0 4294967295 1 good
            illuminance_0 65535 lx good
            presence_0 1 1 good
            humidity_0 100.5 % good
            barometer_0 1006 hPa good
            voltage_0 12.34 V good
            current_0 1.234 A good
            frequency_0 255 Hz good
            percentage_0 100 % good
            altitude_0 -200 m good
            load_0 -1 kg good
            concentration_0 420 [ppm] good
            power_0 65535 W good
            distance_0 1234 mm good
            energy_0 1.234 kW.h good
            direction_0 270 deg good
            unix_time_0 1700069376 s good
            gyrometer_0_x 12.34 deg/s good
            gyrometer_0_y -12.34 deg/s good
            gyrometer_0_z 0 deg/s good
            colour_0_red 255 1 good
            colour_0_green 128 1 good
            colour_0_blue 0 1 good
            switch_0 1 1 good
        "#]],
        );
    }

    #[test]
    fn channels_say_what_is_measured() {
        let config = r#"
            f_ports = [2]
            channels = [
                { channel = 3, quantity = "water_temperature", min = -5, max = 40 },
                { channel = 1, type = 2, quantity = "conductivity", unit = "uS/cm", scale = 100 },
                { channel = 1, quantity = "outfall" },
            ]
        "#;
        check(
            config,
            "03670191010204d2018806765ff2960a0003e8",
            expect![[r#"
            water_temperature 40.1 Cel out_of_range
            conductivity 1234 uS/cm good
            outfall_latitude 42.3519 deg good
            outfall_longitude -87.9094 deg good
            outfall_altitude 10 m good
        "#]],
        );
        check_on_port(
            &format!("kind = \"cayenne_lpp\"\n{config}"),
            &[3, 103, 0, 0],
            Some(5),
            expect!["error: payload came on FPort 5, and `f_ports` of the device has only [2]"],
        );
    }

    #[test]
    fn half_a_frame_is_refused_whole() {
        check("", "", expect!["error: payload is empty: check the sensor's configuration"]);
        check(
            "",
            "03670110056700",
            expect!["error: byte 6: type 103 (temperature) needs 2 bytes and 1 are left: the frame was cut"],
        );
        check("", "0367011005", expect!["error: byte 4: channel 5 has no type behind it: the frame was cut"]);
        check(
            "",
            "0367011005ff00",
            expect!["error: byte 5: channel 5 has type 255, which Cayenne LPP does not have: choose another codec"],
        );
        check(
            "",
            &"000001".repeat(257),
            expect!["error: payload has more than 256 readings: split it into several frames"],
        );
    }

    #[test]
    fn a_mapping_that_cannot_work_is_refused() {
        let config = |channels: &str| format!("kind = \"cayenne_lpp\"\nchannels = [{channels}]");
        check_config(
            &config("{ channel = 1, type = 4, quantity = \"a\" }"),
            expect![
                "`channels[0]`: Cayenne LPP has no type 4: the types are 0 1 2 3 100 101 102 103 104 113 115 116 117 118 120 121 122 125 128 130 131 132 133 134 135 136 142"
            ],
        );
        check_config(
            &config("{ channel = 1, quantity = \"a\", unit = \"hpa\" }"),
            expect!["`channels[0]`: unit `hpa` is not known: did you mean `hPa`, `Pa`, `kPa`?"],
        );
        check_config(
            &config("{ channel = 1, quantity = \"a\" }, { channel = 1, quantity = \"b\" }"),
            expect!["`channels[1]`: channel 1 already has such an entry: remove one, or tell them apart by `type`"],
        );
        check_config(
            &config("{ channel = 1, quantity = \"a\" }, { channel = 2, quantity = \"a\" }"),
            expect!["`channels[1]`: `a` is already the quantity of another entry: give each its own name"],
        );
        check_config(
            &config(&format!("{{ channel = 1, quantity = \"{}\" }}", "a".repeat(31))),
            expect![
                "`channels[0]`: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_longitude` cannot be the name of a reading: use a shorter one"
            ],
        );
    }
}
