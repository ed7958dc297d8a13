use proptest::prelude::*;

use super::*;

fn id(name: &str) -> RelayId {
    RelayId::new(name).unwrap()
}

/// A shell that switches what it is asked to, as far as its wires let it, and notes when which line was on.
struct Bench {
    lines: Lines,
    now: u64,
    /// Whose wire does nothing at the moment.
    dead: Option<RelayId>,
    on: BTreeMap<RelayId, bool>,
    story: Vec<String>,
}

impl Bench {
    fn new(lines: Lines) -> Bench {
        Bench { lines, now: 0, dead: None, on: BTreeMap::new(), story: Vec::new() }
    }

    fn give(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for action in self.lines.handle(MonoMs(self.now), input) {
                match action {
                    Action::Set { id, on } => {
                        let is_done = self.dead.as_ref() != Some(&id);
                        if is_done && self.on.insert(id.clone(), on).unwrap_or_default() != on {
                            self.story.push(format!("{} {id} {}", self.now, if on { "on" } else { "off" }));
                        }
                        inputs.push(Input::Set { id, on, is_done });
                    }
                    Action::Report { id, done } => self.story.push(format!("{} {id} {done:?}", self.now)),
                }
            }
        }
    }

    /// Lets time pass, tick by tick.
    fn until(&mut self, end: u64) {
        while let Some(next) = self.lines.next_timeout().filter(|next| next.0 <= end) {
            self.now = self.now.max(next.0);
            self.give(Input::Tick);
        }
        self.now = end;
    }

    fn pulse(&mut self, name: &str, on_ms: u32) {
        self.give(Input::Pulse(Pulse { id: id(name), on_ms }));
    }

    fn told(&mut self) -> String {
        std::mem::take(&mut self.story).join(" | ")
    }
}

fn sampler() -> Bench {
    Bench::new(Lines::new([(id("east"), Wired::Sampler)]))
}

#[test]
fn a_sampler_is_on_for_one_pulse() {
    let mut bench = sampler();
    bench.pulse("east", 500);
    bench.until(10_000);
    assert_eq!(bench.told(), "0 east on | 500 east off | 500 east Taken");
    assert!(bench.lines.is_off() && bench.lines.next_timeout().is_none());
    bench.pulse("east", u32::MAX);
    bench.until(2_000_000);
    assert_eq!(
        bench.told(),
        "10000 east on | 610000 east off | 610000 east Taken",
        "nothing asks for more than the bound"
    );
    bench.pulse("west", 500);
    assert_eq!(bench.told(), "2000000 west NotSwitched");
}

#[test]
fn a_line_that_does_not_switch_is_said_to_and_is_off() {
    let mut bench = sampler();
    bench.dead = Some(id("east"));
    bench.pulse("east", 500);
    bench.until(1_000);
    assert_eq!(bench.told(), "", "until it surely is off nothing is said");
    bench.dead = None;
    bench.until(1_500);
    assert_eq!(bench.told(), "1200 east NotSwitched");

    bench.pulse("east", 500);
    bench.dead = Some(id("east"));
    bench.until(5_000);
    assert_eq!(bench.told(), "1500 east on");
    bench.dead = None;
    bench.until(6_000);
    assert_eq!(bench.told(), "5200 east off | 5200 east Uncertain", "it was on for longer than it should");
}

#[test]
fn a_shell_that_was_late_says_so() {
    let mut bench = sampler();
    bench.pulse("east", 500);
    bench.now = 500 + LATE_MS + 1;
    bench.give(Input::Tick);
    assert_eq!(bench.told(), "0 east on | 1501 east off | 1501 east Uncertain");
}

#[test]
fn a_stop_switches_everything_off_and_nothing_on_again() {
    let mut bench = Bench::new(Lines::new([
        (id("east"), Wired::Sampler),
        (id("lamp"), Wired::Signal(None)),
        (id("west"), Wired::Sampler),
    ]));
    bench.pulse("east", 500);
    bench.give(Input::Signal { id: id("lamp"), on: true });
    bench.now = 100;
    bench.give(Input::Stop);
    assert_eq!(bench.told(), "0 east on | 0 lamp on | 100 east off | 100 lamp off | 100 east Uncertain");
    assert!(bench.lines.is_off());
    bench.pulse("west", 500);
    bench.give(Input::Signal { id: id("lamp"), on: true });
    assert_eq!(bench.told(), "100 west NotSwitched");
    assert!(bench.lines.is_off());
}

#[test]
fn a_sampler_is_never_lit_and_a_signal_has_no_pulse() {
    let mut bench = Bench::new(Lines::new([(id("east"), Wired::Sampler), (id("lamp"), Wired::Signal(None))]));
    bench.give(Input::Signal { id: id("east"), on: true });
    bench.pulse("lamp", 500);
    bench.until(10_000);
    assert_eq!(bench.told(), "0 lamp NotSwitched");
}

#[test]
fn a_signal_blinks_while_it_is_wanted() {
    let blink = Blink { on_ms: 300, off_ms: 700 };
    let mut bench = Bench::new(Lines::new([(id("lamp"), Wired::Signal(Some(blink)))]));
    bench.give(Input::Signal { id: id("lamp"), on: true });
    bench.until(1_500);
    bench.give(Input::Signal { id: id("lamp"), on: true });
    assert_eq!(bench.told(), "0 lamp on | 300 lamp off | 1000 lamp on | 1300 lamp off");
    bench.until(2_100);
    bench.give(Input::Signal { id: id("lamp"), on: false });
    bench.until(60_000);
    assert_eq!(bench.told(), "2000 lamp on | 2100 lamp off");
    let mut steady = Bench::new(Lines::new([(id("siren"), Wired::Signal(None))]));
    steady.dead = Some(id("siren"));
    steady.give(Input::Signal { id: id("siren"), on: true });
    steady.until(RETRY_MS - 1);
    steady.dead = None;
    steady.until(60_000);
    assert_eq!(steady.told(), "200 siren on", "tried again");
}

/// What a shell may come to meet.
#[derive(Debug, Clone)]
enum Event {
    Pulse(u32),
    Light(bool),
    Dead(bool),
    Pass(u64),
    Stop,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..2_000u32).prop_map(Event::Pulse),
        any::<bool>().prop_map(Event::Light),
        any::<bool>().prop_map(Event::Dead),
        (0..3_000u64).prop_map(Event::Pass),
        Just(Event::Stop),
    ]
}

proptest! {
    /// Whatever happens: a line that can be switched is never on beyond its time, each pulse is reported once, and once the
    /// wires work and the daemon has stopped everything is off.
    #[test]
    fn nothing_stays_on(events in proptest::collection::vec(any_event(), 0..40)) {
        let mut bench = Bench::new(Lines::new([
            (id("east"), Wired::Sampler),
            (id("lamp"), Wired::Signal(Some(Blink { on_ms: 100, off_ms: 100 }))),
        ]));
        let (mut asked, mut longest) = (0, 0);
        for event in events {
            match event {
                Event::Pulse(on_ms) => {
                    asked += 1;
                    longest = longest.max(on_ms);
                    bench.pulse("east", on_ms);
                }
                Event::Light(on) => bench.give(Input::Signal { id: id("lamp"), on }),
                Event::Dead(is_dead) => bench.dead = is_dead.then(|| id("east")),
                Event::Pass(ms) => bench.until(bench.now + ms),
                Event::Stop => bench.give(Input::Stop),
            }
        }
        bench.dead = None;
        bench.until(bench.now + u64::from(longest) + RETRY_MS);
        prop_assert!(!bench.on.get(&id("east")).copied().unwrap_or_default(), "{:?}", bench.story);
        bench.give(Input::Stop);
        bench.until(bench.now + RETRY_MS);
        prop_assert!(bench.lines.is_off() && bench.on.values().all(|on| !on));
        let reports = |story: &[String]| story.iter().filter(|line| line.ends_with(|c: char| c.is_lowercase()) && line.contains(['T', 'N', 'U'])).count();
        prop_assert_eq!(reports(&bench.story), asked);
    }
}
