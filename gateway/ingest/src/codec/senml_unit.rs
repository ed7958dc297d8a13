//! The same unit under two spellings.

use record::Unit;

/// SenML's spelling (RFC 8428 §12.1, RFC 8798 §3) and UCUM's of the same unit, so that one quantity of one place does
/// not come in two units. `%RH` and `%EL` say of what it is a percentage; the quantity's name says that here.
/// Not here: `C` (coulomb in both), and everything that differs by a factor.
const UCUM: [(&str, &str); 16] = [
    ("pH", "[pH]"),
    ("l", "L"),
    ("l/s", "L/s"),
    ("%RH", "%"),
    ("%EL", "%"),
    ("/", "1"),
    ("/100", "%"),
    ("/1000", "[ppth]"),
    ("ppm", "[ppm]"),
    ("count", "{count}"),
    ("NTU", "{NTU}"),
    ("Ah", "A.h"),
    ("Wh", "W.h"),
    ("kWh", "kW.h"),
    ("beats", "{count}"),
    ("EL", "s"),
];

/// UCUM has two spellings of the litre, and sensors use both. Where a technician types a unit, only the upper-case one
/// is known; what a sensor sends is taken as meant.
const LITRE: [(&str, &str); 5] =
    [("mg/l", "mg/L"), ("ug/l", "ug/L"), ("g/l", "g/L"), ("l/min", "L/min"), ("l/h", "L/h")];

/// The unit as UCUM spells it, where the tables have it; else as it came.
pub(super) fn to_ucum(unit: Unit) -> Unit {
    UCUM.iter()
        .chain(&LITRE)
        .find(|(senml, _)| *senml == unit.as_str())
        .and_then(|(_, ucum)| Unit::new(ucum).ok())
        .unwrap_or(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_known_and_the_second_is_final() {
        for (senml, ucum) in UCUM {
            let (senml, ucum) = (Unit::new(senml).unwrap(), Unit::new(ucum).unwrap());
            assert!(senml.is_known(), "{senml}");
            assert!(ucum.is_known(), "{ucum}");
            assert_eq!(to_ucum(senml), ucum);
            assert_eq!(to_ucum(ucum.clone()), ucum);
        }
    }

    #[test]
    fn a_sensors_small_litre_is_the_large_one() {
        for (small, large) in LITRE {
            let (small, large) = (Unit::new(small).unwrap(), Unit::new(large).unwrap());
            assert!(!small.is_known() && large.is_known(), "{small} {large}");
            assert_eq!(to_ucum(small), large);
        }
    }
}
