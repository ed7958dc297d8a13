//! Who has a message, whatever a modem does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use notify::{AlarmKey, Facts, Name, Part, Person, Word};
use record::{AlarmState, ClockQuality, Decimal, LimitSide, Quantity, RuleId, Seq, SourceId, UnixMs};

use super::*;

const SOON: Duration = Duration::from_secs(1);

/// How it treats a number.
#[derive(Clone, Copy)]
enum Mood {
    Refuse,
    /// It goes on by itself.
    Late,
    /// It does not even take the text in time.
    Hang,
}

/// A modem by script. What was handed is known by the number that it went to.
#[derive(Default)]
struct Script {
    moods: RefCell<BTreeMap<String, Mood>>,
    sent: RefCell<Vec<(String, String)>>,
    /// What is late, and has left meanwhile.
    left: RefCell<BTreeSet<String>>,
}

impl Script {
    fn treat(&self, moods: &[(&str, Mood)]) {
        *self.moods.borrow_mut() = moods.iter().map(|(number, mood)| ((*number).to_owned(), *mood)).collect();
    }

    fn mood(&self, number: &str) -> Option<Mood> {
        self.moods.borrow().get(number).copied()
    }

    /// How many texts a number has.
    fn has(&self, number: &str) -> usize {
        self.sent.borrow().iter().filter(|(to, _)| to == number).count()
    }
}

impl Radio for Script {
    type Handed = (String, String);

    fn hand(&self, number: &str, text: &str) -> Result<(String, String), ModemError> {
        match self.mood(number) {
            Some(Mood::Hang) => Err(ModemError::Late(20)),
            _ => Ok((number.to_owned(), text.to_owned())),
        }
    }

    fn send(&self, (number, text): &(String, String), _: Duration) -> Result<(), ModemError> {
        match self.mood(number) {
            Some(Mood::Refuse) => Err(ModemError::Refused("CMS 38".into())),
            Some(Mood::Late) => {
                self.sent.borrow_mut().push((number.clone(), text.clone()));
                Err(ModemError::Late(1))
            }
            _ => {
                self.sent.borrow_mut().push((number.clone(), text.clone()));
                Ok(())
            }
        }
    }

    fn has_left(&self, (number, _): &(String, String)) -> Result<bool, ModemError> {
        Ok(self.left.borrow().contains(number))
    }

    fn forget(&self, _: &(String, String)) {}
}

fn worded() -> Worded {
    let person = |mobile: &str| Person { name: String::new(), mobile: Some(mobile.to_owned()), userid: None };
    Worded { title: "【预警】".into(), lines: Vec::new(), people: vec![person("111"), person("222")] }
}

fn message(alarm: u64) -> Message {
    let facts = Facts {
        since_ms: UnixMs(0),
        clock: ClockQuality::Unset,
        priority: None,
        outfall: None,
        unit: None,
        grounds: None,
    };
    let part = Part {
        key: AlarmKey { rule: RuleId::new("cod-high").unwrap(), source: SourceId::new("cod-1").unwrap() },
        alarm: Seq(alarm),
        word: Word::Alarm,
        level: Name::try_from("village".to_owned()).unwrap(),
        told_before: 0,
        may_be_repeated: false,
        state: AlarmState::Unacknowledged,
        quantity: Quantity::new("cod").unwrap(),
        value: None,
        limit: Decimal::from(80),
        side: LimitSide::High,
        facts,
    };
    Message { parts: vec![part], count: 1, people: Vec::new() }
}

fn is_in_doubt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::InDoubt { .. })
}

#[test]
fn who_has_it_does_not_get_it_again() {
    let (script, mut progress) = (Script::default(), Progress::default());
    script.treat(&[("111", Mood::Refuse)]);
    let refused = progress.deliver(&script, &worded(), Some(&message(1)), SOON);
    assert_eq!(refused, Outcome::Failed { why: "1 of 2 numbers: the modem refused: CMS 38".into() });
    script.treat(&[]);
    assert_eq!(progress.deliver(&script, &worded(), Some(&message(1)), SOON), Outcome::Delivered);
    assert_eq!((script.has("111"), script.has("222")), (1, 1));
    assert_eq!(progress.deliver(&script, &worded(), Some(&message(2)), SOON), Outcome::Delivered);
    assert_eq!((script.has("111"), script.has("222")), (2, 2), "another alarm is for all");
}

#[test]
fn what_the_modem_is_still_sending_is_asked_for_and_not_sent_again() {
    let (script, mut progress) = (Script::default(), Progress::default());
    script.treat(&[("111", Mood::Late)]);
    for _ in 0..3 {
        assert!(is_in_doubt(&progress.deliver(&script, &worded(), Some(&message(1)), SOON)));
    }
    assert_eq!((script.has("111"), script.has("222")), (1, 0), "one at a time");
    script.left.borrow_mut().insert("111".into());
    assert_eq!(progress.deliver(&script, &worded(), Some(&message(1)), SOON), Outcome::Delivered);
    assert_eq!((script.has("111"), script.has("222")), (1, 1));
}

#[test]
fn a_test_that_was_late_is_no_alarm_that_was_heard() {
    let (script, mut progress) = (Script::default(), Progress::default());
    // The alarm reached one of them; then somebody tried the channel, and the modem was slow.
    script.treat(&[("111", Mood::Refuse)]);
    assert!(matches!(progress.deliver(&script, &worded(), Some(&message(1)), SOON), Outcome::Failed { .. }));
    script.treat(&[("111", Mood::Late)]);
    assert!(is_in_doubt(&progress.deliver(&script, &worded(), None, SOON)));
    script.treat(&[]);
    script.left.borrow_mut().insert("111".into());
    assert_eq!(progress.deliver(&script, &worded(), Some(&message(1)), SOON), Outcome::Delivered);
    assert_eq!(script.has("111"), 2, "the test, and the alarm");
}

#[test]
fn what_was_never_handed_over_is_in_no_doubt() {
    let (script, mut progress) = (Script::default(), Progress::default());
    script.treat(&[("111", Mood::Hang)]);
    let outcome = progress.deliver(&script, &worded(), Some(&message(1)), SOON);
    assert_eq!(outcome, Outcome::Failed { why: "2 of 2 numbers: no answer within 20 s".into() });
    assert_eq!((script.has("111"), script.has("222")), (0, 0), "a modem that hangs is not asked for each number");
}
