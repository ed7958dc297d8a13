//! The data types of Cayenne LPP: how long, how signed, by what factor, in which unit.

use record::Decimal;

/// One type: its number on the wire and the values that follow it.
pub(super) struct LppType {
    pub(super) code: u8,
    pub(super) name: &'static str,
    pub(super) axes: &'static [Axis],
}

/// One value: big-endian, two's complement where signed. `value = raw × mantissa × 10^exponent`.
pub(super) struct Axis {
    /// Behind the quantity's name; empty for types with one value.
    pub(super) name: &'static str,
    pub(super) bytes: usize,
    pub(super) signed: bool,
    pub(super) mantissa: i64,
    pub(super) exponent: i32,
    pub(super) unit: &'static str,
}

const fn unsigned(name: &'static str, bytes: usize, mantissa: i64, exponent: i32, unit: &'static str) -> Axis {
    Axis { name, bytes, signed: false, mantissa, exponent, unit }
}

const fn signed(name: &'static str, bytes: usize, mantissa: i64, exponent: i32, unit: &'static str) -> Axis {
    Axis { name, bytes, signed: true, mantissa, exponent, unit }
}

const fn lpp(code: u8, name: &'static str, axes: &'static [Axis]) -> LppType {
    LppType { code, name, axes }
}

/// Every type whose length is known. Types 0 to 103, 113, 115, 134 and 136 are myDevices' own, the rest the usual
/// extensions (`CayenneLPP` 1.x of ElectronicCats). Acceleration counts thousandths of the standard acceleration of
/// free fall, which is 9.80665 m/s² by definition (3rd CGPM, 1901), so the factor to m/s² is exact.
const TYPES: [LppType; 27] = [
    lpp(0, "digital_input", &[unsigned("", 1, 1, 0, "1")]),
    lpp(1, "digital_output", &[unsigned("", 1, 1, 0, "1")]),
    lpp(2, "analog_input", &[signed("", 2, 1, -2, "1")]),
    lpp(3, "analog_output", &[signed("", 2, 1, -2, "1")]),
    lpp(100, "generic", &[unsigned("", 4, 1, 0, "1")]),
    lpp(101, "illuminance", &[unsigned("", 2, 1, 0, "lx")]),
    lpp(102, "presence", &[unsigned("", 1, 1, 0, "1")]),
    lpp(103, "temperature", &[signed("", 2, 1, -1, "Cel")]),
    lpp(104, "humidity", &[unsigned("", 1, 5, -1, "%")]),
    lpp(
        113,
        "accelerometer",
        &[
            signed("x", 2, 980_665, -8, "m/s2"),
            signed("y", 2, 980_665, -8, "m/s2"),
            signed("z", 2, 980_665, -8, "m/s2"),
        ],
    ),
    lpp(115, "barometer", &[unsigned("", 2, 1, -1, "hPa")]),
    lpp(116, "voltage", &[unsigned("", 2, 1, -2, "V")]),
    lpp(117, "current", &[unsigned("", 2, 1, -3, "A")]),
    lpp(118, "frequency", &[unsigned("", 4, 1, 0, "Hz")]),
    lpp(120, "percentage", &[unsigned("", 1, 1, 0, "%")]),
    lpp(121, "altitude", &[signed("", 2, 1, 0, "m")]),
    lpp(122, "load", &[signed("", 3, 1, -3, "kg")]),
    lpp(125, "concentration", &[unsigned("", 2, 1, 0, "[ppm]")]),
    lpp(128, "power", &[unsigned("", 2, 1, 0, "W")]),
    lpp(130, "distance", &[unsigned("", 4, 1, 0, "mm")]),
    lpp(131, "energy", &[unsigned("", 4, 1, -3, "kW.h")]),
    lpp(132, "direction", &[unsigned("", 2, 1, 0, "deg")]),
    lpp(133, "unix_time", &[unsigned("", 4, 1, 0, "s")]),
    lpp(
        134,
        "gyrometer",
        &[signed("x", 2, 1, -2, "deg/s"), signed("y", 2, 1, -2, "deg/s"), signed("z", 2, 1, -2, "deg/s")],
    ),
    lpp(
        135,
        "colour",
        &[unsigned("red", 1, 1, 0, "1"), unsigned("green", 1, 1, 0, "1"), unsigned("blue", 1, 1, 0, "1")],
    ),
    lpp(
        136,
        "location",
        &[signed("latitude", 3, 1, -4, "deg"), signed("longitude", 3, 1, -4, "deg"), signed("altitude", 3, 1, -2, "m")],
    ),
    lpp(142, "switch", &[unsigned("", 1, 1, 0, "1")]),
];

impl LppType {
    pub(super) fn of(code: u8) -> Option<&'static LppType> {
        TYPES.iter().find(|lpp_type| lpp_type.code == code)
    }

    /// All numbers, for an error message.
    pub(super) fn known() -> String {
        let codes: Vec<String> = TYPES.iter().map(|lpp_type| lpp_type.code.to_string()).collect();
        codes.join(" ")
    }

    /// Bytes of all its values.
    pub(super) fn bytes(&self) -> usize {
        self.axes.iter().map(|axis| axis.bytes).sum()
    }
}

impl Axis {
    /// The exact value of this axis' bytes, at most four; `None` never occurs with the table above.
    pub(super) fn value(&self, bytes: &[u8]) -> Option<Decimal> {
        let raw = bytes.iter().fold(0i64, |raw, byte| (raw << 8) | i64::from(*byte));
        let span = 1i64 << (8 * self.bytes);
        let raw = if self.signed && raw >= span / 2 { raw - span } else { raw };
        Decimal::new(raw.checked_mul(self.mantissa)?, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{Quantity, Unit};

    #[test]
    fn the_table_is_sound() {
        for lpp_type in &TYPES {
            assert_eq!(LppType::of(lpp_type.code).unwrap().name, lpp_type.name, "{} stands twice", lpp_type.code);
            for axis in lpp_type.axes {
                assert!(Unit::new(axis.unit).unwrap().is_known(), "{}", axis.unit);
                assert!(Quantity::new(&format!("{}_255_{}", lpp_type.name, axis.name)).is_ok());
                for bytes in [[0x00; 4], [0x7f; 4], [0x80; 4], [0xff; 4]] {
                    assert!(axis.value(&bytes[..axis.bytes]).is_some());
                }
            }
        }
    }
}
