//! What a revoked key signed in an evidence file, and what that is worth.

use batch::weirlog::{self, Beliefs, Entry};
use batch::{EvidenceSeal, Revocation};
use record::UnixMs;

use crate::parts::Parts;
use crate::verdict::{Revoked, State, Verdict, What};
use crate::verifier::Keys;

/// One statement for each revocation that was given. `had_before`: when a platform whose key was given had all records of the
/// file under a tree head, by its own clock.
///
/// What the key signed from the revocation on proves nothing, and is passed over by all other statements. What it signed before,
/// by its own clock alone, can have been signed at any time by whoever has the key: a receipt that is older shows that it was not.
pub(crate) fn judge(
    parts: &Parts<'_>,
    keys: &Keys,
    beliefs: &Beliefs,
    had_before: Option<UnixMs>,
    verdict: &mut Verdict,
) {
    for cose in &keys.revoked {
        let Ok(claimed) = Revocation::claimed(cose) else { continue };
        let is_known = beliefs.revoked().contains(&claimed);
        let Revocation { platform, key, from_ms, reason, .. } = claimed;
        if !is_known {
            let nothing = Revoked {
                platform,
                key: None,
                from_ms: None,
                reason: None,
                before: 0,
                after: 0,
                sealed_after: false,
                confirmed: false,
            };
            verdict.add(State::Open, What::Revoked(nothing));
            continue;
        }
        let (mut before, mut after) = (0, 0);
        let counted = weirlog::read(parts.records, |entry| {
            let Entry::Head(cose) = entry else { return };
            if let Some((_, head)) = beliefs.named_head(cose).filter(|(by, _)| *by == key) {
                if head.stamp.wall_ms < from_ms { before += 1 } else { after += 1 }
            }
        });
        debug_assert!(counted.is_ok(), "reading from memory does not fail");
        let sealed_at = EvidenceSeal::verify(parts.seal, &key).ok().map(|seal| seal.stamp.wall_ms);
        let sealed_after = sealed_at.is_some_and(|at| at >= from_ms);
        let confirmed = had_before.is_some_and(|at| at < from_ms);
        let state = match (after > 0 || sealed_after, before == 0 && sealed_at.is_none() || confirmed) {
            (true, _) => State::Wrong,
            (false, true) => State::Proven,
            (false, false) => State::Open,
        };
        let (key, from_ms, reason) = (Some(key), Some(from_ms), Some(reason));
        let what = Revoked { platform, key, from_ms, reason, before, after, sealed_after, confirmed };
        verdict.add(state, What::Revoked(what));
    }
}
