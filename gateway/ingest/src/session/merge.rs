//! One device as two boxes know it, once its sessions have moved.

use std::mem::swap;

use super::lorawan::{Activated, LorawanState, PAST_SESSIONS_MAX, PastSession, StoredKeys};
use super::{ChirpstackState, Session};

impl Session {
    /// What this box knows of a device, and what `moved` says that came from another one. Nothing that either of them
    /// has used is free again, so a file of sessions may be taken twice, or late.
    pub(crate) fn merged(self, moved: Session) -> Session {
        match (self, moved) {
            (Session::Lorawan(own), Session::Lorawan(moved)) => Session::Lorawan(own.merged(moved)),
            (Session::Sealed(mut own), Session::Sealed(moved)) => {
                own.absorb(&moved);
                Session::Sealed(own)
            }
            (Session::Chirpstack(own), Session::Chirpstack(moved)) => Session::Chirpstack(own.merged(&moved)),
            // The device is on another link now.
            (_, moved) => moved,
        }
    }
}

impl ChirpstackState {
    /// ChirpStack decides which session is the newer one; here that of this box is, if it has one.
    fn merged(mut self, moved: &ChirpstackState) -> ChirpstackState {
        if self.dev_addr == moved.dev_addr {
            self.window.absorb(&moved.window);
        }
        self
    }
}

impl LorawanState {
    fn merged(self, moved: LorawanState) -> LorawanState {
        let shared = self.live().any(|own| moved.live().any(|other| own.is_of(other)));
        let (mut leader, mut follower) = (moved, self);
        // A join-accept takes a higher JoinNonce than those before it.
        if follower.join_nonce > leader.join_nonce || (follower.join_nonce == leader.join_nonce && shared) {
            swap(&mut leader, &mut follower);
        }
        match (&mut leader.nonces, follower.nonces.take()) {
            (Some(nonces), Some(more)) => nonces.absorb(&more),
            (nonces @ None, more) => *nonces = more,
            (Some(_), None) => {}
        }
        for session in leader.active.iter_mut().chain(&mut leader.pending) {
            for other in follower.live() {
                if session.is_of(other) {
                    session.absorb(other);
                }
            }
        }
        if leader.active.is_none() {
            let pending = leader.pending.as_ref();
            leader.active =
                follower.active.take().filter(|active| pending.is_none_or(|pending| !active.is_of(pending)));
        }
        // Whose frames this box has stored must stay readable.
        let over = follower.active.into_iter().chain(follower.pending).filter_map(|session| match session.keys {
            StoredKeys::Joined(keys) => Some(PastSession { dev_addr: session.dev_addr, keys }),
            StoredKeys::Personalised(_) => None,
        });
        for past in over.chain(follower.past) {
            let known = leader.live().any(|live| live.is_past(&past)) || leader.past.contains(&past);
            if !known && leader.past.len() < PAST_SESSIONS_MAX {
                leader.past.push(past);
            }
        }
        leader
    }

    fn live(&self) -> impl Iterator<Item = &Activated> {
        self.active.iter().chain(&self.pending)
    }
}

impl Activated {
    fn is_past(&self, past: &PastSession) -> bool {
        self.dev_addr == past.dev_addr && matches!(&self.keys, StoredKeys::Joined(keys) if *keys == past.keys)
    }
}
