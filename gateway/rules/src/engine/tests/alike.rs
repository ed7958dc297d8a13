//! R2's own check has teeth: engines that differ in one thing do not judge alike, unless that thing was before what was read back.

use record::{Body, BootNo, MonoMs, Record, RecordAt, SourceId};

use super::kinds::{records, rules};
use crate::Engine;
use crate::field::Field;
use crate::invariant::r2_restart_changes_nothing;

/// All was read back, or what came from a millisecond on.
const ALL: (BootNo, MonoMs) = (BootNo(0), MonoMs(0));
const LATER: (BootNo, MonoMs) = (BootNo(0), MonoMs(1));

/// An engine that has seen this, with its transitions journaled.
fn engine(kind: &str, keys: &str, samples: &str) -> Engine {
    let mut engine = Engine::new(rules(kind, keys));
    for at in records(samples) {
        for step in engine.apply(&at) {
            let record = Record { stamp: at.record.stamp, body: Body::Alarm(step) };
            drop(engine.apply(&RecordAt { seq: at.seq, record }));
        }
    }
    engine
}

/// Whether one judges as the other, if the one has read back all, and if it has not.
fn alike(one: &Engine, unbroken: &Engine) -> [bool; 2] {
    [ALL, LATER].map(|from| r2_restart_changes_nothing(one, unbroken, from))
}

#[test]
fn what_engines_have_seen_makes_them_alike() {
    let kinds = [("stuck", "for_s = 60"), ("change", "rise = 1\nwithin_s = 600"), ("implausible", "readings = 3")];
    for (kind, keys) in kinds {
        let of = |samples: &str| engine(kind, keys, samples);
        assert_eq!(alike(&of("0s 1 | 5s 2"), &of("0s 1 | 5s 2")), [true, true], "{kind}");
    }
    // A rule that looks back is compared where all was read back alone.
    let stuck = |samples: &str| engine("stuck", "for_s = 60", samples);
    assert_eq!(alike(&stuck("5s 1"), &stuck("0s 1 | 5s 1")), [false, true]);
    assert_eq!(alike(&stuck("5s 2"), &stuck("0s 1 | 5s 2")), [true, true], "from then on both count the same run");
}

#[test]
fn a_mean_is_judged_up_to_the_same_time() {
    let mean = |samples: &str| engine("mean", "high = 1\nwindow = \"1h\"", samples);
    let (none, first, later) =
        (Engine::new(rules("mean", "high = 1\nwindow = \"1h\"")), mean("0s 1"), mean("0s 1 | 130min"));
    assert_eq!(alike(&none, &first), [false, true], "who read nothing back has judged nothing yet");
    assert_eq!(alike(&first, &none), [false, false], "nobody judges what nobody saw");
    assert_eq!(alike(&later, &first), [true, true], "it was told a later time since");
    assert_eq!(alike(&first, &later), [false, false], "it would judge again");
}

#[test]
fn each_thing_that_an_engine_knows_is_compared() {
    let limit = || engine("limit", "high = 80", "0s 81 | 1s 82");
    assert_eq!(alike(&limit(), &limit()), [true, true]);
    let differs = |change: fn(&mut Engine)| {
        let mut other = limit();
        change(&mut other);
        assert_eq!([alike(&limit(), &other), alike(&other, &limit())], [[false, false]; 2]);
    };
    differs(|other| other.states_refused += 1);
    differs(|other| other.rules[0].latched = true);
    differs(|other| other.judged[0].clear());
    differs(|other| {
        let mut waiting = Engine::new(rules("limit", "high = 80"));
        drop(waiting.apply(&records("0s 81")[0]));
        other.outstanding = waiting.outstanding;
    });
    differs(|other| {
        other.judged[0].get_mut(&SourceId::new("a").unwrap()).unwrap().latch.derived = record::AlarmState::Normal;
    });
    let beside = || engine("disagreement", "with = \"b/cod\"\nhigh = 10", "1s b/cod 5 | 2s 6");
    let mut other = beside();
    other.field = Field::default();
    assert_eq!(
        [alike(&beside(), &beside()), alike(&beside(), &other), alike(&other, &beside())],
        [[true; 2], [false; 2], [false; 2]]
    );
}
