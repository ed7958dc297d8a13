//! `[outfalls]`: how the codes of this place's outfalls are formed.

use record::OutfallCode;
use serde::{Deserialize, Deserializer};

/// Most patterns.
const PATTERNS_MAX: usize = 16;

/// What a code has to look like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outfalls {
    /// A code has to fit one of them; none: any code of 1 to 32 of `A-Z 0-9 -`.
    #[serde(deserialize_with = "few")]
    pub code_patterns: Vec<CodePattern>,
}

/// The form of a code: `#` stands for a digit, `@` for a letter, `*` at the end for any rest, everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePattern(String);

impl CodePattern {
    fn new(text: &str) -> Result<CodePattern, String> {
        // Put an example into the places, and the bounds of codes hold of the pattern too.
        let example = text.replace('#', "0").replace('@', "A");
        let example = example.strip_suffix('*').unwrap_or(&example);
        let is_code = OutfallCode::new(if example.is_empty() { "A" } else { example }).is_ok();
        if text.is_empty() || !is_code {
            return Err(format!(
                "`{text}` is no pattern of a code: use # for a digit, @ for a letter, A-Z 0-9 - for themselves, and * at its end \
                 for any rest"
            ));
        }
        Ok(CodePattern(text.to_owned()))
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a code has this form.
    pub fn fits(&self, code: &str) -> bool {
        let fits = |(pattern, byte): (u8, u8)| match pattern {
            b'#' => byte.is_ascii_digit(),
            b'@' => byte.is_ascii_uppercase(),
            literal => literal == byte,
        };
        let (fixed, has_rest) = match self.0.strip_suffix('*') {
            Some(fixed) => (fixed, true),
            None => (self.0.as_str(), false),
        };
        let long_enough = if has_rest { code.len() >= fixed.len() } else { code.len() == fixed.len() };
        long_enough && fixed.bytes().zip(code.bytes()).all(fits)
    }
}

impl<'de> Deserialize<'de> for CodePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CodePattern, D::Error> {
        CodePattern::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn few<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CodePattern>, D::Error> {
    let patterns = Vec::deserialize(deserializer)?;
    if patterns.len() > PATTERNS_MAX {
        return Err(serde::de::Error::custom(format!("at most {PATTERNS_MAX} patterns are taken")));
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_fits_its_form() {
        let fits = |pattern: &str, code: &str| CodePattern::new(pattern).unwrap().fits(code);
        let yangtze = "FA-######-####-@@-##";
        assert!(fits(yangtze, "FA-231081-0001-SH-00"));
        for other in
            ["FA-23108-0001-SH-00", "FB-231081-0001-SH-00", "FA-231081-0001-S1-00", "FA-231081-0001-SH-001", ""]
        {
            assert!(!fits(yangtze, other), "{other}");
        }
        assert!(fits("231081*", "231081") && fits("231081*", "231081-A9") && !fits("231081*", "23108"));
        assert!(fits("*", "ANY-1"));
        for no in ["", "a", "A*B", "**", "A B", &"#".repeat(33)] {
            assert!(CodePattern::new(no).is_err(), "{no}");
        }
    }
}
