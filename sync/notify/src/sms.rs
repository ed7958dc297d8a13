//! A message as SMS (短信): short, in whole lines, and once for each number.
//!
//! A text with one character outside GSM's alphabet travels as UCS-2 (3GPP TS 23.038 §6.2.3): 70 UTF-16 units in one SMS, 67 in
//! each part of a longer one (TS 23.040 §9.2.3.24.1). Everything here has Chinese in it, so everything is counted so. It does not
//! know who sends it, or how.

use std::collections::BTreeSet;

use record::Seq;

use crate::text::Worded;
use crate::{Message, Person, Word};

/// What one SMS takes, and each part of several. UTF-16 units.
const SINGLE_UNITS: usize = 70;
const PART_UNITS: usize = 67;
/// Most parts of a message: what is more is left out, line by line.
pub const PARTS_MAX: usize = 4;

/// The message in at most [`PARTS_MAX`] parts. The title and the last line, which says what the alarm is worth, always stand in
/// it; of the others as many as there is room for.
pub fn text(worded: &Worded) -> String {
    let whole = worded.joined("\n");
    let (Some((last, middle)), true) = (worded.lines.split_last(), parts(&whole) > PARTS_MAX) else {
        return cut(&whole, PARTS_MAX * PART_UNITS);
    };
    let dots = "…";
    let mut lines: Vec<&str> = vec![&worded.title];
    let mut left =
        (PARTS_MAX * PART_UNITS).saturating_sub([&worded.title, dots, last].map(|line| units(line) + 1).iter().sum());
    for line in middle {
        let Some(rest) = left.checked_sub(units(line) + 1) else { break };
        left = rest;
        lines.push(line);
    }
    lines.extend([dots, last]);
    cut(&lines.join("\n"), PARTS_MAX * PART_UNITS)
}

/// How many SMS a text takes.
pub fn parts(text: &str) -> usize {
    let units = units(text);
    if units <= SINGLE_UNITS { 1 } else { units.div_ceil(PART_UNITS) }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn cut(text: &str, units_max: usize) -> String {
    let mut left = units_max;
    let fits = |c: &char| left.checked_sub(c.len_utf16()).map(|rest| left = rest).is_some();
    text.chars().take_while(fits).collect()
}

/// The number of somebody as a modem takes it, digits with or without `+`; none if there is none or it is no number.
pub fn number(person: &Person) -> Option<String> {
    let written: String = person.mobile.as_ref()?.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let digits = written.strip_prefix('+').unwrap_or(&written);
    let is_number =
        (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some(written)
}

/// Shortest number: a short code. Longest: ITU-T E.164 §6.2.1.
const DIGITS_MIN: usize = 3;
const DIGITS_MAX: usize = 15;

/// Which numbers have the newest message already, where not all of them got it: the next try is for the others.
#[derive(Debug, Default)]
pub struct Served {
    message: Vec<(Seq, Word, u32)>,
    numbers: BTreeSet<String>,
}

impl Served {
    /// A message is about to be sent: those numbers that do not have it. What may be a repetition is the same message.
    pub fn missing(&mut self, message: &Message, numbers: &[String]) -> Vec<String> {
        let of_this: Vec<_> = message.parts.iter().map(|part| (part.alarm, part.word, part.told_before)).collect();
        if self.message != of_this {
            (self.message, self.numbers) = (of_this, BTreeSet::new());
        }
        numbers.iter().filter(|number| !self.numbers.contains(*number)).cloned().collect()
    }

    /// A number has it.
    pub fn has(&mut self, number: String) {
        self.numbers.insert(number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn worded(title: &str, lines: &[&str]) -> Worded {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Worded { title: title.to_owned(), lines, people: Vec::new() }
    }

    #[test]
    fn a_text_is_counted_as_a_network_counts_it() {
        for (text, expected) in [
            ("警".repeat(70), 1),
            ("警".repeat(71), 2),
            ("警".repeat(134), 2),
            ("警".repeat(135), 3),
            // Outside the basic plane a character is two units.
            ("𠮷".repeat(35), 1),
            ("𠮷".repeat(36), 2),
        ] {
            assert_eq!(parts(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_keeps_its_title_and_what_it_is_worth() {
        let long = "值".repeat(100);
        let text = text(&worded("【预警】", &[&long, &long, &long, "单个数值只是预警，不是超标结论。"]));
        assert_eq!(text, format!("【预警】\n{long}\n{long}\n…\n单个数值只是预警，不是超标结论。"));
        assert_eq!(parts(&text), PARTS_MAX);
    }

    #[test]
    fn a_number_is_digits_and_nothing_that_a_modem_would_take_for_an_order() {
        let of = |mobile: &str| number(&Person { name: String::new(), mobile: Some(mobile.to_owned()), userid: None });
        assert_eq!(of("+86 138-0000-0000").as_deref(), Some("+8613800000000"));
        assert_eq!(of("13800000000").as_deref(), Some("13800000000"));
        for wrong in ["", "12", "1380000000a", "13800000000\r", "13800000000;", "++86138", "1234567890123456", "１３８"]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_takes_more_parts_than_it_may(title in ".{0,300}", lines in prop::collection::vec(".{0,200}", 0..12)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let worded = worded(&title, &lines);
            let text = text(&worded);
            prop_assert!(parts(&text) <= PARTS_MAX);
            prop_assert!(parts(&worded.joined("\n")) > PARTS_MAX || text == worded.joined("\n"));
        }
    }
}
