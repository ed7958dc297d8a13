//! Topic filters (MQTT 3.1.1 and 5, §4.7).

use std::fmt;
use std::sync::Arc;

/// A topic, or with wildcards a set of them: `+` stands for any one level, `#` at the end for all that follow.
///
/// Levels hold printable ASCII without spaces, and the first is not of the server's own `$` tree: what the router takes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Filter(Arc<str>);

impl Filter {
    /// Takes a well-formed filter; none of anything else.
    pub fn new(text: &str) -> Option<Filter> {
        let levels = text.split('/').count();
        let well_formed = |(at, level): (usize, &str)| match level {
            "+" => true,
            "#" => at + 1 == levels,
            word => word.bytes().all(|b| b.is_ascii_graphic() && b != b'+' && b != b'#'),
        };
        let whole = !text.is_empty() && !text.starts_with('$') && text.split('/').enumerate().all(well_formed);
        whole.then(|| Filter(text.into()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is written, to be kept.
    pub(crate) fn text(&self) -> &Arc<str> {
        &self.0
    }

    /// True for one topic and no other.
    pub(crate) fn is_exact(&self) -> bool {
        !self.0.contains(['+', '#'])
    }

    /// True if the topic is one of these.
    pub fn matches(&self, topic: &str) -> bool {
        *self.0 == *topic || (!self.is_exact() && matches(&self.0, topic))
    }

    /// True if a client whose filter this is may subscribe to `asked`. An exact topic is asked for as it stands. Of a
    /// set a client may ask for a part, or for more, of which it gets this; never for topics of any first level, which
    /// would look like everything.
    pub(crate) fn grants(&self, asked: &str) -> bool {
        if self.is_exact() {
            return *self.0 == *asked;
        }
        let Some(asked) = Filter::new(unshared(asked)) else { return false };
        let names_its_tree = asked.0.split('/').next().is_some_and(|first| !first.contains(['+', '#']));
        names_its_tree && self.overlaps(&asked)
    }

    /// True if some topic is of both.
    fn overlaps(&self, other: &Filter) -> bool {
        let (mut ours, mut theirs) = (self.0.split('/'), other.0.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                // `a/#` is also `a` (§4.7.1.2).
                (Some("#"), _) | (_, Some("#")) => return true,
                (None, Some(_)) | (Some(_), None) => return false,
                (Some(a), Some(b)) if a == "+" || b == "+" || a == b => {}
                (Some(_), Some(_)) => return false,
            }
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// True if a filter, well-formed and perhaps of a shared subscription, has this topic.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let (mut filters, mut levels) = (unshared(filter).split('/'), topic.split('/'));
    loop {
        match (filters.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(word), Some(level)) if word == level => {}
            _ => return false,
        }
    }
}

/// The filter of a shared subscription (`$share/NAME/filter`, MQTT 5 §4.8.2): with one session for a client, all its
/// messages are that session's.
fn unshared(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or(filter, |(_, filter)| filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_filters() {
        for text in ["a", "a/b", "+", "#", "a/+/b", "a/#", "/a", "a//b", "d/a$b"] {
            assert!(Filter::new(text).is_some(), "{text}");
        }
        for text in ["", "$SYS/a", "$share/g/a", "a+/b", "a/#/b", "a#", "é", "a b", "a\0"] {
            assert!(Filter::new(text).is_none(), "{text}");
        }
    }

    #[test]
    fn topics_of_a_filter() {
        let check =
            |filter: &str, topic: &str, expected| assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        check("a/b", "a/b", true);
        check("a/b", "a/c", false);
        check("a/+/c", "a/b/c", true);
        check("a/+/c", "a/b", false);
        check("a/+", "a/b/c", false);
        check("a/#", "a/b/c", true);
        check("a/#", "a", true);
        check("a/#", "b", false);
        check("$share/g/a/+", "a/b", true);
        check("+", "", true);
    }

    #[test]
    fn what_a_client_may_ask_for() {
        let check = |own: &str, asked: &str, expected| {
            assert_eq!(Filter::new(own).unwrap().grants(asked), expected, "{own} {asked}");
        };
        check("d/a/up", "d/a/up", true);
        for asked in ["d/+/up", "#", "d/#", "$share/g/d/a/up", "d/a/down"] {
            check("d/a/up", asked, false);
        }
        let events = "application/+/device/+/event/+";
        for asked in [
            events,
            "application/1/device/+/event/up",
            "application/#",
            "$share/g/application/+/device/+/event/+",
            "application/1/device/0101010101010101/event/up",
            "application/+/+/+/+/+",
        ] {
            check(events, asked, true);
        }
        for asked in [
            "#",
            "+/#",
            "+/+/device/+/event/+",
            "application/+/device/+/command/down",
            "application/+",
            "d/a/up",
            "application/+/device/+/event",
            "application/+/device/+/event/+/x",
            "$share/g",
            "$SYS/#",
            "application/a+/#",
            "",
        ] {
            check(events, asked, false);
        }
    }
}
