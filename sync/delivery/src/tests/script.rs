//! A line of events in, a trace of orders out.

use std::fmt::Write as _;
use std::num::{NonZeroU32, NonZeroU64};

use batch::{BatchId, Lane};
use expect_test::Expect;
use record::{MonoMs, Seq, SeqRange, SeqRanges};

use crate::destination::Restored;
use crate::{Action, Config, Destination, Input, RestoredBatch, Transient};

/// Virtual wake-ups in one script: a core that asks for time without end fails here.
const STEPS_MAX: usize = 1_000;

/// Runs `script` and compares the trace. Events stand between `|`, each after its time in ms:
///
/// `0 journal 5 alarm 3,4` · `0 gone 2-3` ·  `70 ok a` · `70 short a` · `70 refuse a` · `70 retry a` · `70 fail a unreachable` ·
/// `70 fail a overloaded 9000` · `70 up` · `70 nocut` · `70 cut` · `70 bytes 9000` · `9000` (only time).
/// Batches are called a, b, c … in the order of their cuts.
pub(super) fn check(settings: &str, script: &str, expected: Expect) {
    let mut run = Run::new(config(settings));
    for event in script.split('|') {
        run.event(event.trim());
    }
    let left = run.core.next_timeout().map_or("nothing".into(), |at| at.to_string());
    let _ = writeln!(run.trace, "next: {left}, covered: {:?}", run.core.covered().iter().collect::<Vec<_>>());
    expected.assert_eq(&run.trace);
}

fn config(settings: &str) -> Config {
    let mut config = Config { records_max: NonZeroU32::new(3).unwrap(), ..Config::default() };
    config.live_window = NonZeroU64::new(4).unwrap();
    for setting in settings.split_whitespace() {
        let (key, value) = setting.split_once('=').unwrap();
        let number = NonZeroU32::new(value.parse().unwrap()).unwrap();
        match key {
            "records" => config.records_max = number,
            "live_window" => config.live_window = NonZeroU64::from(number),
            "run" => config.live_run_max = number,
            "window" => config.window = number,
            "alarm_window" => config.alarm_window = number,
            "parked" => config.parked_max = NonZeroU64::from(number),
            "timeout" => config.answer_timeout_ms = u64::from(number.get()),
            _ => panic!("no setting `{key}`"),
        }
    }
    config
}

struct Run {
    core: Destination,
    cuts: Vec<SeqRanges>,
    can_cut: bool,
    bytes_len: u64,
    trace: String,
}

fn id(number: usize) -> BatchId {
    BatchId([u8::try_from(number).unwrap(); 32])
}

fn letter(number: usize) -> char {
    char::from(b'a' + u8::try_from(number).unwrap())
}

impl Run {
    fn new(config: Config) -> Run {
        let core = Destination::new(config, 1, Restored::default());
        Run { core, cuts: Vec::new(), can_cut: true, bytes_len: 2_000, trace: String::new() }
    }

    fn event(&mut self, event: &str) {
        let words: Vec<&str> = event.split_whitespace().collect();
        let now = MonoMs(words[0].parse().unwrap());
        for _ in 0..STEPS_MAX {
            match self.core.next_timeout().filter(|due| *due <= now) {
                None => break,
                Some(due) => self.feed(due, Input::Tick),
            }
        }
        let batch = || usize::from(words[2].as_bytes()[0] - b'a');
        match words.get(1).copied() {
            None => self.feed(now, Input::Tick),
            Some("journal") => {
                let alarms = words.get(4).map_or(Vec::new(), |list| list.split(',').collect());
                let alarms = alarms.iter().map(|seq| Seq(seq.parse().unwrap())).collect();
                self.feed(now, Input::Journaled { end: Seq(words[2].parse().unwrap()), alarms });
            }
            Some("gone") => {
                let (first, last) = words[2].split_once('-').unwrap();
                let range = SeqRange::new(Seq(first.parse().unwrap()), Seq(last.parse().unwrap()));
                self.feed(now, Input::Gone { ranges: range.into_iter().collect() });
            }
            Some("ok") => {
                self.feed(now, Input::Acked { id: id(batch()), holds: self.cuts[batch()].clone(), own_ms: 0 })
            }
            Some("short") => {
                let holds = self.cuts[batch()].iter().skip(1).collect();
                self.feed(now, Input::Acked { id: id(batch()), holds, own_ms: 0 });
            }
            Some("refuse") => self.feed(now, Input::Refused { id: id(batch()), why: "row 1 is odd".into() }),
            Some("retry") => {
                let (lane, ranges) = (Lane::Backlog, self.cuts[batch()].clone());
                let batch = RestoredBatch { id: id(batch()), lane, ranges, bytes_len: 2_000 };
                self.feed(now, Input::Retry { batch });
            }
            Some("drop") => self.feed(now, Input::Dropped { ranges: self.cuts[batch()].clone() }),
            Some("fail") => {
                let why = *Transient::ALL.iter().find(|why| why.as_str() == words[3]).unwrap();
                let retry_after_ms = words.get(4).map(|ms| ms.parse().unwrap());
                self.feed(now, Input::Failed { id: id(batch()), retry_after_ms, why });
            }
            Some("up") => self.feed(now, Input::LinkUp),
            Some("bytes") => self.bytes_len = words[2].parse().unwrap(),
            Some(word @ ("cut" | "nocut")) => self.can_cut = word == "cut",
            Some(other) => panic!("no event `{other}`"),
        }
    }

    fn feed(&mut self, now: MonoMs, input: Input) {
        self.core.handle(now, input);
        while let Some(action) = self.core.poll() {
            let number = |id: BatchId| letter(usize::from(id.0[0]));
            let line = match &action {
                Action::Cut { lane, ranges, .. } if !self.can_cut => format!("cannot cut {lane} {}", shown(ranges)),
                Action::Cut { lane, ranges, .. } => {
                    format!("cut {lane} {} as {}", shown(ranges), letter(self.cuts.len()))
                }
                Action::Send { id, timeout_ms } => format!("send {} within {timeout_ms}", number(*id)),
                Action::Hedge { id, timeout_ms } => format!("hedge {} within {timeout_ms}", number(*id)),
                Action::Note { usage } => format!("note {}", usage.day_bytes),
                Action::Advance { id } => format!("advance {}", number(*id)),
                Action::Split { id, reason } => {
                    format!("split {}: {}", number(*id), reason.as_deref().unwrap_or("too large"))
                }
                Action::Park { id, reason } => format!("park {}: {reason}", number(*id)),
            };
            let _ = writeln!(self.trace, "{now} {line}");
            if let Action::Cut { lane, ranges, .. } = action {
                let answer = if self.can_cut {
                    self.cuts.push(ranges.clone());
                    Input::Cut {
                        lane,
                        id: id(self.cuts.len() - 1),
                        ranges,
                        bytes_len: self.bytes_len,
                        content_len: self.bytes_len,
                    }
                } else {
                    Input::NotCut { lane }
                };
                self.core.handle(now, answer);
            }
        }
    }
}

fn shown(ranges: &SeqRanges) -> String {
    let one = |range: SeqRange| if range.len() == 1 { range.first.to_string() } else { format!("{range:?}") };
    ranges.iter().map(one).collect::<Vec<_>>().join(",")
}
