//! Sessions that move to another box, so that no device must join again.

use std::collections::BTreeMap;

use ::lorawan::JoinNonce;
use minicbor::{Decode, Encode};
use record::SourceId;

use super::lorawan::LorawanState;
use super::{Session, SessionError};

/// How far FCntDown and JoinNonce jump ahead on the new box, unless told otherwise: what the old box may have sent after
/// the export.
pub const COUNTER_JUMP: u16 = 1_000;

/// First number of an export.
const VERSION: u8 = 1;

/// Why sessions cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A session on this box.
    #[error(transparent)]
    Session(SessionError),
    /// Not an export.
    #[error("these bytes are no export of sessions · try: weir device export-sessions on the old box again")]
    Decode(#[source] minicbor::decode::Error),
    /// Of another version of this program.
    #[error("the export has version {0}, this program reads {VERSION} · try: the same program version on both boxes")]
    Version(u8),
    /// A device's JoinNonces are nearly used up.
    #[error("device `{0}` has no room for a jump of its JoinNonce · try: a smaller jump, or new root keys")]
    JoinNonce(SourceId),
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Export {
    #[n(0)]
    version: u8,
    #[n(1)]
    sessions: Vec<Entry>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Entry {
    #[n(0)]
    device: SourceId,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    session: Vec<u8>,
}

/// All sessions in one value. It holds session keys: whoever writes it down must encrypt it.
///
/// # Errors
/// [`TransferError::Session`] if a row holds none of this version.
pub fn export_sessions<'a>(
    rows: impl Iterator<Item = (&'a SourceId, &'a [u8])>,
) -> Result<zeroize::Zeroizing<Vec<u8>>, TransferError> {
    let mut sessions = Vec::new();
    for (device, session) in rows.filter(|(_, session)| !session.is_empty()) {
        Session::from_bytes(device, session).map_err(TransferError::Session)?;
        sessions.push(Entry { device: device.clone(), session: session.to_vec() });
    }
    sessions.sort_by(|a, b| a.device.cmp(&b.device));
    let bytes = minicbor::to_vec(Export { version: VERSION, sessions }).unwrap_or_default();
    Ok(zeroize::Zeroizing::new(bytes))
}

/// The rows for the new box. Downlink counters and JoinNonce jump ahead by `jump`, so that nothing the old box sent after
/// the export is sent again; DevNonces, uplink counters and replay windows stay. No command is awaited any more.
///
/// # Errors
/// [`TransferError`] if the bytes are no export, or a jump has no room.
pub fn import_sessions(export: &[u8], jump: u16) -> Result<BTreeMap<SourceId, Vec<u8>>, TransferError> {
    let Export { version, sessions } = minicbor::decode(export).map_err(TransferError::Decode)?;
    if version != VERSION {
        return Err(TransferError::Version(version));
    }
    let mut rows = BTreeMap::new();
    for Entry { device, session } in sessions {
        let mut session = Session::from_bytes(&device, &session).map_err(TransferError::Session)?;
        if let Session::Lorawan(state) = &mut session {
            ahead(state, jump).ok_or_else(|| TransferError::JoinNonce(device.clone()))?;
        }
        rows.insert(device, session.to_bytes());
    }
    Ok(rows)
}

fn ahead(state: &mut LorawanState, jump: u16) -> Option<()> {
    if let Some(join_nonce) = state.join_nonce {
        state.join_nonce = Some(JoinNonce::new(join_nonce.to_u32() + u32::from(jump))?);
    }
    for session in state.active.iter_mut().chain(&mut state.pending) {
        session.down.jump(jump);
        // Commands stay behind, and their numbers mean others on the new box.
        session.awaiting = None;
    }
    // Monotonic time of another box means nothing here.
    state.last_join = None;
    Some(())
}
