//! Names of levels and channels.

use serde::{Deserialize, Serialize};

/// The name of a level or a channel: 1 to 32 characters, none of them white space or a control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: use 1 to 32 characters, no white space among them")]
pub struct NameError(String);

impl Name {
    /// Longest name, in characters.
    pub const CHARS_MAX: usize = 32;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Name, NameError> {
        let legal = |c: char| !c.is_whitespace() && !c.is_control();
        let is_name = (1..=Name::CHARS_MAX).contains(&text.chars().count()) && text.chars().all(legal);
        if is_name { Ok(Name(text)) } else { Err(NameError(text.chars().take(Name::CHARS_MAX).collect())) }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}
