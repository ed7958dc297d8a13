//! B1: what grows with the outage stands in the journal, not in memory.

use batch::BatchId;
use record::{MonoMs, Seq, SeqRanges};

use crate::destination::Restored;
use crate::{ALARMS_MAX, Action, Config, Destination, Input, RANGES_MAX};

#[test]
fn more_alarms_than_it_can_remember_wait_in_the_journal_and_none_is_demoted() {
    let end = 2 * u64::try_from(ALARMS_MAX).unwrap() + 100;
    let mut core = Destination::new(Config::default(), 1, Restored::default());
    let mut cuts: u64 = 0;
    for _ in 0..1_000 {
        let alarms = (core.told().0..end).map(Seq).collect();
        core.handle(MonoMs(cuts), Input::Journaled { end: Seq(end), alarms });
        assert!(core.standing().alarms <= u64::try_from(ALARMS_MAX).unwrap());
        let mut cut = Vec::<(BatchId, SeqRanges)>::new();
        while let Some(action) = core.poll() {
            match action {
                Action::Cut { lane, ranges, .. } => {
                    assert_eq!(lane, batch::Lane::Alarm);
                    assert!(ranges.iter().len() <= RANGES_MAX);
                    cuts += 1;
                    let mut id = BatchId([0; 32]);
                    id.0[..8].copy_from_slice(&cuts.to_be_bytes());
                    cut.push((id, ranges.clone()));
                    core.handle(MonoMs(cuts), Input::Cut { lane, id, ranges, bytes_len: 1, content_len: 1 });
                }
                Action::Send { .. } | Action::Hedge { .. } | Action::Note { .. } | Action::Advance { .. } => {}
                Action::Split { .. } | Action::Park { .. } => panic!("nothing was refused"),
            }
        }
        if cut.is_empty() {
            break;
        }
        assert!(cut.len() <= 4, "the alarm window");
        cut.into_iter().for_each(|(id, holds)| core.handle(MonoMs(cuts), Input::Acked { id, holds, own_ms: 0 }));
    }
    assert_eq!(core.covered().len(), end);
}
