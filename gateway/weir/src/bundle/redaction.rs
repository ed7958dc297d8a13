//! What is cut out of texts before they leave the box: secrets that are known, and whatever looks like one. Too much rather than
//! too little: who helps needs none of it.

use std::collections::BTreeMap;

use batch::EnrolmentCode;
use serde_json::Value;

/// In the place of what was cut out.
const CUT: &str = "[redacted]";
/// Shorter secrets would be found in half of all words.
const SECRET_BYTES_MIN: usize = 4;
/// Hex digits of an AES key; hashes have more.
const HEX_DIGITS_MIN: usize = 32;
/// Other characters of a token that nobody has typed.
const OPAQUE_CHARACTERS_MIN: usize = 40;
/// Names whose value is a secret, or somebody's number.
const SECRET_NAMES: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "psk",
    "phone",
    "contact",
    "credential",
    "credentials",
    "authorization",
    "bearer",
    "pin",
];

/// Cuts, and counts what it cut by kind.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    /// Longest first, so that none is left of a longer one.
    known: Vec<String>,
    cut: BTreeMap<&'static str, u64>,
}

impl Redaction {
    /// With secrets of this box that are known word for word.
    pub(super) fn of(known: impl IntoIterator<Item = String>) -> Redaction {
        let mut known: Vec<String> = known.into_iter().filter(|secret| secret.len() >= SECRET_BYTES_MIN).collect();
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        known.dedup();
        Redaction { known, cut: BTreeMap::new() }
    }

    /// What was cut, by kind.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.cut.clone()
    }

    fn cut(&mut self, what: &'static str) -> String {
        *self.cut.entry(what).or_default() += 1;
        CUT.to_owned()
    }

    /// Text as people or programs write it.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut clear = text.to_owned();
        for secret in std::mem::take(&mut self.known) {
            let found = clear.matches(secret.as_str()).count();
            if found > 0 {
                *self.cut.entry("secrets of this box").or_default() += u64::try_from(found).unwrap_or(u64::MAX);
                clear = clear.replace(secret.as_str(), CUT);
            }
            self.known.push(secret);
        }
        clear.split_inclusive('\n').map(|line| self.line(line)).collect()
    }

    fn line(&mut self, line: &str) -> String {
        if line.contains("PRIVATE KEY") {
            return format!("{}{}", self.cut("private keys"), if line.ends_with('\n') { "\n" } else { "" });
        }
        let mut clear = String::with_capacity(line.len());
        let mut is_next_secret = false;
        let mut rest = line;
        while !rest.is_empty() {
            let end = rest.find(is_separator).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            if !word.is_empty() {
                clear.push_str(&self.word(word, &mut is_next_secret));
            }
            let gap = behind.find(|c| !is_separator(c)).unwrap_or(behind.len());
            clear.push_str(&behind[..gap]);
            rest = &behind[gap..];
        }
        clear
    }

    /// A word, which may be `name=value`; one that follows a secret's name is that secret.
    fn word(&mut self, word: &str, is_next_secret: &mut bool) -> String {
        let bare = word.trim_matches([':', '=']);
        if bare.is_empty() {
            return word.to_owned();
        }
        if std::mem::take(is_next_secret) {
            return self.cut("values of secret names");
        }
        if is_secret_name(bare) {
            *is_next_secret = true;
            return word.to_owned();
        }
        match word.split_once(['=', ':']).filter(|(name, value)| is_secret_name(name) && !value.is_empty()) {
            Some((name, _)) => format!("{name}={}", self.cut("values of secret names")),
            None => self.plain(word),
        }
    }

    fn plain(&mut self, word: &str) -> String {
        if let Some((scheme, rest)) = word.split_once("://") {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if let Some((_, host)) = authority.rsplit_once('@') {
                return format!("{scheme}://{}@{host}{path}", self.cut("users in URLs"));
            }
        }
        if word.parse::<EnrolmentCode>().is_ok() {
            return self.cut("enrolment codes");
        }
        let value = word.rsplit_once(['=', ':']).map_or(word, |(_, value)| value);
        let value = value.trim_end_matches(['.', '!', '?', '*']);
        if is_opaque(value) {
            return word.replace(value, &self.cut("keys and tokens"));
        }
        match phone(word) {
            Some(number) => word.replace(number, &self.cut("phone numbers")),
            None => word.to_owned(),
        }
    }

    /// JSON: text in it, and everything that a secret's name has.
    pub(super) fn json(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(all) => all.into_iter().map(|one| self.json(one)).collect(),
            Value::Object(map) => map
                .into_iter()
                .map(|(name, value)| match is_secret_name(&name) && !value.is_null() {
                    true => (name, Value::String(self.cut("values of secret names"))),
                    false => (name, self.json(value)),
                })
                .collect(),
            other => other,
        }
    }

    /// A configuration file. Comments go, for nobody knows what stands in them, and so does a file that is no TOML. The key of a
    /// platform is a public one and stays.
    pub(super) fn toml(&mut self, text: &str) -> String {
        match text.parse::<toml::Table>() {
            Ok(table) => {
                let clear = self.toml_value("", toml::Value::Table(table));
                toml::to_string_pretty(&clear).unwrap_or_else(|error| format!("# left out: {error}\n"))
            }
            Err(error) => {
                let line =
                    1 + text.bytes().take(error.span().map_or(0, |span| span.start)).filter(|b| *b == b'\n').count();
                *self.cut.entry("files that are no TOML").or_default() += 1;
                format!("# left out, for it is no TOML in line {line}\n")
            }
        }
    }

    /// The values of one.
    pub(super) fn value(&mut self, value: toml::Value) -> toml::Value {
        self.toml_value("", value)
    }

    fn toml_value(&mut self, name: &str, value: toml::Value) -> toml::Value {
        match value {
            toml::Value::String(text) if name == "key" && text.parse::<batch::PublicKey>().is_ok() => text.into(),
            toml::Value::Table(table) => {
                let clear = table.into_iter().map(|(name, value)| match is_secret_name(&name) {
                    true => (name, self.cut("values of secret names").into()),
                    false => {
                        let clear = self.toml_value(&name, value);
                        (name, clear)
                    }
                });
                toml::Value::Table(clear.collect())
            }
            toml::Value::Array(all) => all.into_iter().map(|one| self.toml_value(name, one)).collect::<Vec<_>>().into(),
            toml::Value::String(text) => self.text(&text).into(),
            other => other,
        }
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || "\"'`,;()[]{}<>|，。；：（）".contains(c)
}

fn is_secret_name(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_ascii_lowercase().replace('-', "_");
    let last = name.rsplit(['.', '_']).next().unwrap_or_default();
    let of_key = ["app_key", "nwk_key", "mac_key", "s_key", "private_key", "api_key"];
    SECRET_NAMES.contains(&last)
        || SECRET_NAMES.contains(&name.as_str())
        || of_key.iter().any(|end| name.ends_with(end))
}

/// Digits and letters that no person has typed: a key in hex, or a token in base64.
fn is_opaque(word: &str) -> bool {
    let is_hex = word.len() >= HEX_DIGITS_MIN && word.bytes().all(|b| b.is_ascii_hexdigit());
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=_-".contains(&b);
    let is_mixed = word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_uppercase());
    is_hex || (word.len() >= OPAQUE_CHARACTERS_MIN && is_mixed && word.bytes().all(is_base64))
}

/// A Chinese mobile number, with or without 86, or one of a landline with its area code.
fn phone(word: &str) -> Option<&str> {
    let is_of_number = |c: char| c.is_ascii_digit() || c == '-' || c == '+';
    word.split(|c| !is_of_number(c)).find(|run| {
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        let local = digits.strip_prefix("0086").or(digits.strip_prefix("86")).unwrap_or(&digits);
        let is_mobile = |digits: &str| {
            digits.len() == 11 && digits.starts_with('1') && digits.as_bytes().get(1).is_some_and(|b| *b >= b'3')
        };
        let is_landline = digits.starts_with('0') && (10..=12).contains(&digits.len());
        let is_service = digits.starts_with("400") && digits.len() == 10 && run.contains('-');
        is_mobile(&digits) || is_mobile(local) || is_landline || is_service
    })
}

#[cfg(test)]
mod tests {
    use batch::SigningKey;
    use serde_json::json;

    use super::*;

    fn check(text: &str, expected: &str) {
        let mut redaction = Redaction::of(["hunter2-of-cod-1".to_owned(), "hunter2".to_owned(), "ab".to_owned()]);
        assert_eq!(redaction.text(text), expected);
    }

    #[test]
    fn whatever_looks_like_a_secret_is_cut() {
        check("cod-1 said hunter2-of-cod-1, twice\nab stays", "cod-1 said [redacted], twice\nab stays");
        check("password=geheim token: abc", "password=[redacted] token: [redacted]");
        check("\"app_key\":\"2b7e\",\"n\":3", "\"app_key\":\"[redacted]\",\"n\":3");
        check("proxy http://user:pw@10.0.0.1:3128/x", "proxy http://[redacted]@10.0.0.1:3128/x");
        check("AppKey 2B7E151628AED2A6ABF7158809CF4F3C!", "AppKey [redacted]!");
        check("AppKey 2b7e151628aed2a6abf7158809cf4f3c.", "AppKey [redacted].");
        check("key=2b7e151628aed2a6abf7158809cf4f3c", "key=[redacted]");
        check("call 13812345678 or +86-138-1234-5678，0453-6223456", "call [redacted] or [redacted]，[redacted]");
        check("-----BEGIN PRIVATE KEY-----\nnext", "[redacted]\nnext");
        check("at 2026-11-29T08:00:00.000Z 1795910400000 ms", "at 2026-11-29T08:00:00.000Z 1795910400000 ms");
        check(
            "weir-gateway.service: 127.0.0.1:1883 exit code=255",
            "weir-gateway.service: 127.0.0.1:1883 exit code=255",
        );
    }

    #[test]
    fn an_enrolment_code_is_known_by_its_check() {
        let code = EnrolmentCode::new([0xab, 0, 1, 2, 3, 4, 5, 6, 7, 255], &SigningKey::from_seed(&[1; 32]).public());
        check(
            &format!("sudo weir identity enroll https://a/ {code}"),
            "sudo weir identity enroll https://a/ [redacted]",
        );
        check(&code.to_string().replace('-', ""), "[redacted]");
    }

    #[test]
    fn a_configuration_keeps_what_is_no_secret() {
        let key = SigningKey::from_seed(&[1; 32]).public();
        let text = format!(
            "# the old password was hunter3\nname = \"a\"\n[[destination]]\nkey = \"{key}\"\nproxy = \"http://u:p@h/\"\n\
             token = \"t\"\n[x]\npassword = \"geheim\"\n"
        );
        let mut redaction = Redaction::default();
        let clear = redaction.toml(&text);
        assert!(clear.contains(&key.to_string()) && clear.contains("http://[redacted]@h/"), "{clear}");
        for secret in ["hunter3", "geheim", "\"t\"", "u:p"] {
            assert!(!clear.contains(secret), "{secret}: {clear}");
        }
        assert_eq!(redaction.counts(), BTreeMap::from([("users in URLs", 1), ("values of secret names", 2)]));
        assert!(!redaction.toml("password = geheim\n").contains("geheim"));
    }

    #[test]
    fn json_stays_json() {
        let mut redaction = Redaction::of(["hunter2".to_owned()]);
        let clear = redaction.json(json!({"phone": 13_812_345_678_u64, "a": ["hunter2", 7], "password": null}));
        assert_eq!(clear, json!({"phone": "[redacted]", "a": ["[redacted]", 7], "password": null}));
    }
}
