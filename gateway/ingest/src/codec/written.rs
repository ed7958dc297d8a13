//! A number that a sensor or a logger wrote as text for people.

use super::document::shorten;
use super::measured::Found;

/// What may stand in such a text beside the digits.
pub(super) struct Written<'c> {
    /// `12,5` is twelve and a half.
    pub(super) decimal_comma: bool,
    /// May stand behind the number, with or without a space.
    pub(super) suffix: Option<&'c str>,
}

impl Written<'_> {
    /// The number, spaces around it aside; anything else is none, and its text is kept.
    pub(super) fn read(&self, text: &str) -> Found {
        let text = text.trim_ascii();
        let bare = self.suffix.and_then(|suffix| text.strip_suffix(suffix)).map_or(text, str::trim_ascii_end);
        let number = match (self.decimal_comma, bare.contains('.')) {
            (false, _) => Found::text(bare),
            (true, false) => Found::text(&bare.replace(',', ".")),
            // 1.234,5: a point beside a comma groups thousands in one country and is a mistake in another.
            (true, true) => Found::Nothing,
        };
        match number {
            Found::Number(number) => Found::Number(number),
            Found::NotANumber(_) | Found::Nothing => Found::NotANumber(shorten(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(decimal_comma: bool, suffix: Option<&str>, text: &str, expected: Result<&str, &str>) {
        let read = match (Written { decimal_comma, suffix }).read(text) {
            Found::Number(number) => Ok(number.to_string()),
            Found::NotANumber(text) => Err(text),
            Found::Nothing => Err("nothing".to_owned()),
        };
        assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
    }

    #[test]
    fn spaces_and_the_configured_suffix_alone_may_stand_beside() {
        check(false, None, " 40.10\r\n", Ok("40.1"));
        check(false, Some("mg/L"), "40.1 mg/L", Ok("40.1"));
        check(false, Some("mg/L"), "40.1mg/L", Ok("40.1"));
        check(false, Some("mg/L"), "40.1", Ok("40.1"));
        check(false, None, "40.1 mg/L", Err("40.1 mg/L"));
        check(false, Some("mg/L"), "40.1 ug/L", Err("40.1 ug/L"));
        check(false, Some("mg/L"), "mg/L", Err("mg/L"));
        for text in ["No Sensor", "NaN", "ERR", "", "1 2", "1,5", "0x10"] {
            check(false, None, text, Err(text));
        }
    }

    #[test]
    fn a_decimal_comma_is_read_where_it_is_configured() {
        check(true, None, "12,5", Ok("12.5"));
        check(true, None, "12", Ok("12"));
        check(true, None, "12.5", Err("12.5"));
        check(true, None, "1.234,5", Err("1.234,5"));
        check(true, None, "1,2,3", Err("1,2,3"));
    }
}
