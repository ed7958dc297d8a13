//! What may be a device's topic.

/// Longest topic, in bytes: it is kept with every frame.
const TOPIC_BYTES_MAX: usize = 128;

/// Most topics of one device: a station with a topic for each probe has fewer.
pub(crate) const TOPICS_MAX: usize = 16;

/// Why a text is no topic for a device (MQTT 5.0 §4.7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Empty or beyond 128 bytes.
    #[error("topic `{0}` is empty or longer than {TOPIC_BYTES_MAX} bytes: use one as `d/cod-1/up`")]
    Length(String),
    /// Wildcards name many topics; a device lists its own.
    #[error("topic `{0}` has a wildcard (`+` or `#`): write the device's exact topics")]
    Wildcard(String),
    /// `$` topics belong to the broker (§4.7.2), NUL to nobody (§4.7.3).
    #[error("topic `{0}` begins with `$` or holds a control character: use one as `d/cod-1/up`")]
    Reserved(String),
    /// `topic` beside `topics`.
    #[error("both `topic` and `topics` are given: write one of them")]
    Both,
    /// `topics` is empty or too long.
    #[error("`topics` has {0} entries: list 1 to {TOPICS_MAX}")]
    Count(usize),
}

/// Takes the topic if a device may have it.
pub(super) fn topic(text: String) -> Result<String, TopicError> {
    if text.is_empty() || text.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::Length(text.chars().take(TOPIC_BYTES_MAX).collect()));
    }
    if text.contains(['+', '#']) {
        return Err(TopicError::Wildcard(text));
    }
    if text.starts_with('$') || text.chars().any(char::is_control) {
        return Err(TopicError::Reserved(text.escape_debug().to_string()));
    }
    Ok(text)
}
