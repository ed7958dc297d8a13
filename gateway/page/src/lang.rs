//! The two languages of a page, and which of them a reader wants.

use serde::Deserialize;

/// Most languages of a request that are weighed; a browser names some five.
const LANGUAGES_MAX: usize = 20;

/// English or Chinese.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Lang {
    /// 中文。
    #[default]
    #[serde(rename = "zh")]
    Zh,
    /// English.
    #[serde(rename = "en")]
    En,
}

impl Lang {
    /// One of two texts.
    pub fn pick<'a>(self, english: &'a str, chinese: &'a str) -> &'a str {
        match self {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }

    /// As `?lang=` names it.
    pub fn named(name: &str) -> Option<Lang> {
        match name {
            "zh" => Some(Lang::Zh),
            "en" => Some(Lang::En),
            _ => None,
        }
    }

    /// As `?lang=` names it.
    pub fn as_str(self) -> &'static str {
        self.pick("en", "zh")
    }

    /// The language tag of a whole page (BCP 47).
    pub fn tag(self) -> &'static str {
        self.pick("en", "zh-CN")
    }

    /// The other one.
    pub fn other(self) -> Lang {
        match self {
            Lang::En => Lang::Zh,
            Lang::Zh => Lang::En,
        }
    }

    /// Of what `Accept-Language` lists (RFC 9110 §12.5.4) the one that is wanted most; the earlier of two that are wanted alike.
    /// None if it lists neither.
    pub fn accepted(header: &str) -> Option<Lang> {
        let mut best: Option<(u32, Lang)> = None;
        for part in header.split(',').take(LANGUAGES_MAX) {
            let mut pieces = part.split(';').map(str::trim);
            let tag = pieces.next().unwrap_or_default().to_ascii_lowercase();
            let Some(lang) = Lang::named(tag.split('-').next().unwrap_or_default()) else { continue };
            let weight = pieces.find_map(|piece| piece.strip_prefix("q=")).map_or(Some(1_000), thousandths);
            let Some(weight) = weight.filter(|weight| *weight > 0) else { continue };
            if best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }
}

/// A weight from 0 to 1 in thousandths; none if it is no number of that kind.
fn thousandths(weight: &str) -> Option<u32> {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = |text: &str| text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || !digits(part) {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    Some((whole.parse::<u32>().ok()? * 1_000 + part).min(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_language_that_it_asks_for() {
        for (header, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Lang::Zh)),
            ("en-GB,en;q=0.9,zh;q=0.8", Some(Lang::En)),
            ("fr, en;q=0.3, zh;q=0.7", Some(Lang::Zh)),
            ("de", None),
            ("zh;q=0, en;q=0.1", Some(Lang::En)),
            ("EN-us", Some(Lang::En)),
            ("zh;q=9, en;q=x", None),
            ("", None),
        ] {
            assert_eq!(Lang::accepted(header), expected, "{header}");
        }
        let many = format!("{}en", "xx,".repeat(LANGUAGES_MAX));
        assert_eq!(Lang::accepted(&many), None, "nobody asks for so many");
    }
}
