//! Topic templates, spelled as in ChirpStack's own configuration.

use record::EndDeviceEui;

/// Longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 128;
/// Longest application id, in bytes; ChirpStack 4 uses a UUID of 36.
const APPLICATION_ID_BYTES_MAX: usize = 64;

/// `[integration.mqtt] event_topic` or `command_topic` of ChirpStack:
/// `application/{{application_id}}/device/{{dev_eui}}/event/{{event}}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    levels: Vec<Level>,
}

#[derive(Clone, PartialEq, Eq)]
enum Level {
    Word(String),
    ApplicationId,
    DevEui,
    Kind,
}

/// The parts of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic<'a> {
    /// Application id; 1 to 64 bytes.
    pub application_id: &'a str,
    /// DevEUI.
    pub dev_eui: EndDeviceEui,
    /// `up`, `join`, ... or `down`.
    pub kind: &'a str,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Empty or beyond 128 bytes.
    #[error("the topic has {bytes} bytes: use 1 to {TEMPLATE_BYTES_MAX}")]
    Length {
        /// Its length.
        bytes: usize,
    },
    /// The first level decides whose topics these are, so it is a word of its own.
    #[error("the topic begins with a placeholder, a wildcard or `$`: begin with a word, as `application/`")]
    First,
    /// A level that is neither a word nor one placeholder.
    #[error(
        "`{level}` is neither a word nor one placeholder: write each of {{{{application_id}}}}, {{{{dev_eui}}}} and \
         {{{{{kind}}}}} between two slashes"
    )]
    Level {
        /// As written.
        level: String,
        /// `event` or `command`.
        kind: &'static str,
    },
    /// A placeholder that is absent or stands twice.
    #[error("`{{{{{placeholder}}}}}` must stand in the topic exactly once")]
    Placeholder {
        /// Which.
        placeholder: &'static str,
    },
}

impl Template {
    /// Reads ChirpStack's `event_topic`.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn event(text: &str) -> Result<Template, TemplateError> {
        Template::parse(text, "event")
    }

    /// Reads ChirpStack's `command_topic`.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn command(text: &str) -> Result<Template, TemplateError> {
        Template::parse(text, "command")
    }

    fn parse(text: &str, kind: &'static str) -> Result<Template, TemplateError> {
        if text.is_empty() || text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::Length { bytes: text.len() });
        }
        let levels: Vec<Level> = text.split('/').map(|level| read_level(level, kind)).collect::<Result<_, _>>()?;
        let begins = matches!(levels.first(), Some(Level::Word(word)) if !word.is_empty() && !word.starts_with('$'));
        if !begins {
            return Err(TemplateError::First);
        }
        for (placeholder, level) in
            [("application_id", Level::ApplicationId), ("dev_eui", Level::DevEui), (kind, Level::Kind)]
        {
            if levels.iter().filter(|other| **other == level).count() != 1 {
                return Err(TemplateError::Placeholder { placeholder });
            }
        }
        Ok(Template { text: text.to_owned(), levels })
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The MQTT filter of all its topics; with `kind`, of those of this kind.
    pub fn filter(&self, kind: Option<&str>) -> String {
        self.render("+", "+", kind.unwrap_or("+"))
    }

    /// The topic of one device.
    pub fn topic(&self, topic: Topic<'_>) -> String {
        self.render(topic.application_id, &topic.dev_eui.to_string(), topic.kind)
    }

    /// The parts of a topic; none if it is not of this template.
    pub fn read<'a>(&self, topic: &'a str) -> Option<Topic<'a>> {
        let (mut application_id, mut dev_eui, mut kind) = (None, None, None);
        let mut found = topic.split('/');
        for level in &self.levels {
            let part = found.next()?;
            match level {
                Level::Word(word) if word == part => {}
                Level::Word(_) => return None,
                Level::ApplicationId => application_id = Some(part),
                Level::DevEui => dev_eui = eui(part),
                Level::Kind => kind = Some(part),
            }
        }
        let application_id = application_id.filter(|id| (1..=APPLICATION_ID_BYTES_MAX).contains(&id.len()))?;
        match found.next() {
            None => Some(Topic { application_id, dev_eui: dev_eui?, kind: kind? }),
            Some(_) => None,
        }
    }

    fn render(&self, application_id: &str, dev_eui: &str, kind: &str) -> String {
        let parts = self.levels.iter().map(|level| match level {
            Level::Word(word) => word,
            Level::ApplicationId => application_id,
            Level::DevEui => dev_eui,
            Level::Kind => kind,
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// As its text: what it was read from says everything.
impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

fn read_level(level: &str, kind: &'static str) -> Result<Level, TemplateError> {
    let refused = || TemplateError::Level { level: level.escape_debug().to_string(), kind };
    if let Some(name) = level.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        return match name.trim() {
            "application_id" => Ok(Level::ApplicationId),
            "dev_eui" => Ok(Level::DevEui),
            name if name == kind => Ok(Level::Kind),
            _ => Err(refused()),
        };
    }
    // What the edge's router takes: printable ASCII without wildcards.
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'+' | b'#' | b'{' | b'}');
    if level.bytes().all(plain) { Ok(Level::Word(level.to_owned())) } else { Err(refused()) }
}

/// 16 hex digits of either case.
pub(crate) fn eui(text: &str) -> Option<EndDeviceEui> {
    let mut bytes = [0; 8];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(record::GatewayEui(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "application/{{application_id}}/device/{{dev_eui}}/event/{{event}}";

    #[test]
    fn a_topic_reads_back_as_it_was_written() {
        let event = Template::event(EVENT).unwrap();
        let text = "application/2f0b8a4c-1d2e-4c6b-9a51-1d0c7d1f2b11/device/0101010101010101/event/up";
        let topic = event.read(text).unwrap();
        assert_eq!((topic.dev_eui, topic.kind), (record::GatewayEui([1; 8]), "up"));
        assert_eq!(event.topic(topic), text);
        assert_eq!(event.filter(None), "application/+/device/+/event/+");
        let command = Template::command("cs/{{ command }}/{{dev_eui}}/{{application_id}}").unwrap();
        assert_eq!(command.filter(Some("down")), "cs/down/+/+");
        assert_eq!(command.topic(Topic { kind: "down", ..topic }).split('/').nth(2), Some("0101010101010101"));
    }

    #[test]
    fn foreign_topics_are_not_read() {
        let event = Template::event(EVENT).unwrap();
        let long = format!("application/{}/device/0101010101010101/event/up", "a".repeat(65));
        for topic in [
            "application//device/0101010101010101/event/up",
            "application/1/device/010101010101010/event/up",
            "application/1/device/01010101010101zz/event/up",
            "application/1/device/0101010101010101/event",
            "application/1/device/0101010101010101/event/up/x",
            "application/1/device/0101010101010101/state/up",
            "",
            &long,
        ] {
            assert_eq!(event.read(topic), None, "{topic}");
        }
    }

    #[test]
    fn templates_that_cannot_work_say_why() {
        let check = |text: &str, expected: &str| {
            assert!(Template::event(text).unwrap_err().to_string().contains(expected), "{text}");
        };
        check("", "0 bytes");
        check(&"a/".repeat(65), "130 bytes");
        check("{{application_id}}/{{dev_eui}}/{{event}}", "begin with a word");
        check("$SYS/{{application_id}}/{{dev_eui}}/{{event}}", "begin with a word");
        check("a/x-{{application_id}}/{{dev_eui}}/{{event}}", "`x-{{application_id}}` is neither");
        check("a/+/{{dev_eui}}/{{event}}", "`+` is neither");
        check("a/{{application_id}}/{{dev_eui}}/{{command}}", "{{event}} between two slashes");
        check("a/{{dev_eui}}/{{event}}", "`{{application_id}}` must stand");
        check("a/{{application_id}}/{{dev_eui}}/{{event}}/{{event}}", "`{{event}}` must stand");
    }
}
