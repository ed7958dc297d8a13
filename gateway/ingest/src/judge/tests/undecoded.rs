//! A frame between its judgement and its codec.

use super::bench::{Bench, WARM, heard, publish, show, uplink};
use crate::{Arrival, Judgement, Undecoded};

fn undecoded(judgement: Judgement) -> Undecoded {
    match judgement {
        Judgement::Undecoded(undecoded) => undecoded,
        Judgement::Verdict(verdict) => panic!("judged: {}", show(&verdict)),
    }
}

fn judged(judgement: Judgement) -> String {
    match judgement {
        Judgement::Verdict(verdict) => show(&verdict),
        Judgement::Undecoded(undecoded) => format!("undecoded {}", undecoded.device()),
    }
}

fn unread(packet_id: u16, dup: bool) -> Arrival {
    match publish(Some(packet_id), dup, r#"{"cod":1}"#) {
        Arrival::Mqtt { device, link, dup, payload, .. } => Arrival::Mqtt { device, link, dup, payload, content: None },
        other => other,
    }
}

#[test]
fn what_is_not_decoded_changes_nothing_and_what_happened_meanwhile_decides() {
    let mut bench = Bench::new();
    for frame in [heard(uplink(0, true, WARM)), unread(7, false)] {
        let first = undecoded(bench.begin(frame.clone()));
        assert_eq!(bench.ingest.sender(&frame).as_ref(), Some(first.device()));
        // A copy that was decoded sooner is the one that counts, and a restart has forgotten neither.
        let second = undecoded(bench.begin(frame));
        let decoded = bench.decode(second);
        assert!(judged(bench.begin(decoded)).starts_with("accepted"));
        bench.restart();
        let decoded = bench.decode(first);
        let late = match decoded {
            // Nobody sends a publish twice without saying so.
            Arrival::Mqtt { device, link, payload, content, .. } => {
                Arrival::Mqtt { device, link, dup: true, payload, content }
            }
            other => other,
        };
        assert!(judged(bench.begin(late)).starts_with("duplicate"));
    }
}

#[test]
fn a_frame_that_others_overtook_is_judged_by_what_is_stored() {
    let mut bench = Bench::new();
    let late = undecoded(bench.begin(heard(uplink(3, true, WARM))));
    bench.judge(heard(uplink(4, true, WARM)));
    let decoded = bench.decode(late);
    let verdict = judged(bench.begin(decoded));
    assert!(verdict.starts_with("replayed flow-1"), "{verdict}");
}

#[test]
fn only_what_its_session_decrypts_now_is_believed() {
    let mut bench = Bench::new();
    let first = undecoded(bench.begin(heard(uplink(0, true, WARM))));
    let Arrival::Lora(decoded) = bench.decode(first) else { panic!("another kind") };
    let Arrival::Lora(mut other) = heard(uplink(0, true, &[1, 103, 0, 172])) else { panic!("another kind") };
    other.decoded = decoded.decoded;
    let verdict = judged(bench.begin(Arrival::Lora(other)));
    assert_eq!(verdict, "undecoded flow-1", "it was read in another payload");
}

#[test]
fn nobody_is_the_sender_of_what_is_not_proved() {
    let bench = Bench::new();
    let mut forged = uplink(0, true, WARM);
    forged[12] ^= 1;
    assert_eq!(bench.ingest.sender(&heard(forged)), None);
    assert_eq!(bench.ingest.sender(&heard(vec![0x40, 1])), None);
}
