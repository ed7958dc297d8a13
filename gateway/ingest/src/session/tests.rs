//! Sessions in bytes and back.

use ::lorawan::fcnt::{Counters, LastUplink};
use ::lorawan::mac::MacState;
use ::lorawan::{DevAddr, DevNonces, JoinNonce, Key128, MacVersion, Region, SessionKeys};
use envelope::FrameDigest;
use proptest::prelude::*;

use super::lorawan::{Activated, StoredKeys};
use super::*;
use crate::{TransferError, export_sessions, import_sessions};

fn source() -> SourceId {
    SourceId::new("flow-1").unwrap()
}

fn keys(byte: u8) -> SessionKeys {
    SessionKeys::v1_0(Key128::new([byte; 16]), Key128::new([byte + 1; 16]))
}

fn activated() -> impl Strategy<Value = Activated> {
    let frame = (any::<u32>(), proptest::collection::vec(any::<u8>(), 0..=255));
    (any::<u32>(), proptest::option::of(frame), any::<bool>(), proptest::option::of(any::<u64>())).prop_map(
        |(dev_addr, frame, joined, awaiting)| {
            let keys = if joined { StoredKeys::Joined(keys(1)) } else { StoredKeys::personalised(&keys(1)) };
            let mac = MacState::personalised(Region::Eu868);
            let mut session = Activated::new(DevAddr::from_u32(dev_addr), keys, mac);
            if let Some((f_cnt, phy)) = frame {
                let last = Some(LastUplink { f_cnt, phy });
                session.took(Counters { next_up: f_cnt.saturating_add(1), last }, f_cnt);
            }
            session.awaiting = awaiting;
            session
        },
    )
}

fn session() -> impl Strategy<Value = Session> {
    let nonces = proptest::collection::vec(any::<u16>(), 0..8).prop_map(|used| {
        let mut nonces = DevNonces::new(MacVersion::V1_0_3);
        for nonce in used {
            let _ = nonces.take(nonce);
        }
        nonces
    });
    let lorawan = (
        proptest::option::of(nonces),
        proptest::option::of(1..0xff_ffffu32),
        proptest::option::of(activated()),
        proptest::option::of(activated()),
    )
        .prop_map(|(nonces, join_nonce, active, pending)| {
            let join_nonce = join_nonce.and_then(JoinNonce::new);
            Session::Lorawan(LorawanState { nonces, join_nonce, active, pending, ..LorawanState::default() })
        });
    let window = proptest::collection::vec(any::<u64>(), 0..8).prop_map(|counters| {
        let mut window = ReplayWindow::default();
        for counter in counters {
            window.admit(counter, FrameDigest::of(&counter.to_be_bytes()));
        }
        window
    });
    prop_oneof![
        2 => lorawan,
        1 => window.clone().prop_map(Session::Sealed),
        1 => (any::<u32>(), window)
            .prop_map(|(dev_addr, window)| {
                Session::Chirpstack(ChirpstackState { dev_addr, window, application_id: format!("{dev_addr}") })
            }),
    ]
}

/// A joined session that has heard up to `up` and sent up to `down`.
fn joined(byte: u8, up: u32, down: u16) -> Activated {
    let mac = MacState::personalised(Region::Eu868);
    let mut session = Activated::new(DevAddr::from_u32(byte.into()), StoredKeys::Joined(keys(byte)), mac);
    session.took(Counters { next_up: up + 1, last: Some(LastUplink { f_cnt: up, phy: vec![byte] }) }, up);
    session.down.jump(down);
    session
}

fn state(join_nonce: u32, active: Option<Activated>, pending: Option<Activated>) -> LorawanState {
    LorawanState { join_nonce: JoinNonce::new(join_nonce), active, pending, ..LorawanState::default() }
}

fn merged(own: LorawanState, moved: LorawanState) -> LorawanState {
    match Session::Lorawan(own).merged(Session::Lorawan(moved)) {
        Session::Lorawan(state) => state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_boxes_the_newer_join_leads_and_counters_never_fall() {
    // The file is taken a second time, after the device has gone on here: nothing changes.
    let (moved, here) = (state(1_001, Some(joined(1, 5, 1_003)), None), state(1_001, Some(joined(1, 9, 1_020)), None));
    assert_eq!(merged(here.clone(), moved.clone()), here);
    // Back on the first box, where it was silent meanwhile: the other box's counters.
    let back = merged(state(1, Some(joined(1, 5, 3)), None), state(2_001, Some(joined(1, 9, 2_020)), None));
    assert_eq!(back, state(2_001, Some(joined(1, 9, 2_020)), None));
    // Both heard it: the higher of each.
    let both = merged(state(1, Some(joined(1, 12, 3)), None), state(2_001, Some(joined(1, 9, 2_020)), None));
    assert_eq!(both.active, Some(joined(1, 12, 2_020)));
    // It joined again on the other box: that session leads, frames of the old one stay readable.
    let anew = merged(state(1, Some(joined(1, 5, 3)), None), state(1_002, Some(joined(2, 0, 1_000)), None));
    assert_eq!((&anew.active, anew.past.len()), (&Some(joined(2, 0, 1_000)), 1));
    // Here it has spoken in the session that was only offered when the file was made.
    let spoken = merged(state(7, Some(joined(2, 4, 9)), None), state(7, Some(joined(1, 5, 3)), Some(joined(2, 0, 20))));
    assert_eq!((&spoken.active, &spoken.pending), (&Some(joined(2, 4, 20)), &None));
    assert_eq!(spoken.past.len(), 1);
}

#[test]
fn nothing_that_one_of_two_boxes_has_used_is_free_again() {
    let nonces = |used: &[u16]| {
        let mut nonces = DevNonces::new(MacVersion::V1_0_3);
        used.iter().for_each(|nonce| nonces.take(*nonce).unwrap());
        nonces
    };
    let with = |used: &[u16]| LorawanState { nonces: Some(nonces(used)), ..state(1, None, None) };
    assert_eq!(merged(with(&[1, 2, 9]), with(&[3, 7])).nonces, Some(nonces(&[1, 2, 3, 7, 9])));
    assert_eq!(merged(with(&[1]), state(1, None, None)).nonces, Some(nonces(&[1])));
    let window = |counters: &[u64]| {
        let mut window = ReplayWindow::default();
        for counter in counters {
            window.admit(*counter, FrameDigest::of(&counter.to_be_bytes()));
        }
        window
    };
    let sealed = |counters: &[u64]| Session::Sealed(window(counters));
    assert_eq!(sealed(&[5, 7]).merged(sealed(&[6, 100])), sealed(&[5, 6, 7, 100]));
    assert_eq!(sealed(&[5, 100]).merged(sealed(&[6, 7])), sealed(&[5, 6, 7, 100]), "whoever is ahead");
    assert_eq!(sealed(&[5]).merged(Session::Lorawan(state(1, None, None))), Session::Lorawan(state(1, None, None)));
}

proptest! {
    #[test]
    fn what_was_moved_twice_is_as_if_once(own in session(), moved in session()) {
        let once = own.merged(moved.clone());
        prop_assert_eq!(once.clone().merged(moved), once.clone());
        prop_assert_eq!(once.clone().merged(once.clone()), once);
    }

    #[test]
    fn comes_back_as_it_was_stored(session in session()) {
        prop_assert_eq!(Session::from_bytes(&source(), &session.to_bytes()).unwrap(), session);
    }

    #[test]
    fn a_cut_or_longer_one_is_refused(session in session(), cut in 0usize..400, more in any::<u8>()) {
        let mut bytes = session.to_bytes();
        prop_assert!(Session::from_bytes(&source(), &bytes[..cut % bytes.len()]).is_err());
        bytes.push(more);
        prop_assert!(Session::from_bytes(&source(), &bytes).is_err());
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(session) = Session::from_bytes(&source(), &bytes) {
            prop_assert_eq!(session.to_bytes(), bytes.clone());
        }
        prop_assert!(import_sessions(&bytes, 1).is_err());
    }

    #[test]
    fn a_move_changes_what_must_jump_and_nothing_else(session in session(), jump in 0u16..2_000) {
        let (source, bytes) = (source(), session.to_bytes());
        let export = export_sessions([(&source, bytes.as_slice())].into_iter()).unwrap();
        let moved = match import_sessions(&export, jump) {
            Ok(mut rows) => Session::from_bytes(&source, &rows.remove(&source).unwrap()).unwrap(),
            Err(error) => {
                prop_assert!(matches!(error, TransferError::JoinNonce(_)));
                return Ok(());
            }
        };
        let (Session::Lorawan(before), Session::Lorawan(mut after)) = (&session, moved.clone()) else {
            prop_assert_eq!(moved, session);
            return Ok(());
        };
        for (before, after) in before.active.iter().chain(&before.pending).zip(after.active.iter_mut().chain(&mut after.pending)) {
            prop_assert_eq!(after.down.n_f_cnt_down, before.down.n_f_cnt_down.saturating_add(jump.into()));
            prop_assert_eq!(after.down.a_f_cnt_down, before.down.a_f_cnt_down.saturating_add(jump.into()));
            after.down = before.down;
            prop_assert_eq!(after.awaiting, None);
            after.awaiting = before.awaiting;
        }
        let ahead = before.join_nonce.map(|nonce| nonce.to_u32() + u32::from(jump));
        prop_assert_eq!(after.join_nonce.map(JoinNonce::to_u32), ahead);
        after.join_nonce = before.join_nonce;
        prop_assert_eq!(&after, before);
    }
}
