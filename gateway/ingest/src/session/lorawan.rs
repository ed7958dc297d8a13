//! The sessions of a LoRaWAN device: the one in use, the one that it may have got, and those before.

use ::lorawan::fcnt::{Counters, LastUplink};
use ::lorawan::mac::MacState;
use ::lorawan::{DevAddr, DevNonces, DownCounters, JoinNonce, SessionKeys};
use minicbor::{Decode, Encode};
use record::{BootNo, MonoMs};
use sha2::{Digest, Sha256};

/// Sessions before the one in use whose keys are kept, so that a mended codec can read their frames again.
pub(crate) const PAST_SESSIONS_MAX: usize = 8;

/// All sessions of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct LorawanState {
    /// Used up by joins.
    #[n(0)]
    pub(crate) nonces: Option<DevNonces>,
    /// The last one handed out.
    #[n(1)]
    pub(crate) join_nonce: Option<JoinNonce>,
    /// The session in use.
    #[n(2)]
    pub(crate) active: Option<Activated>,
    /// What the last join-accept opened: it comes into use with its first frame, for the accept may be lost.
    #[n(3)]
    pub(crate) pending: Option<Activated>,
    #[n(4)]
    pub(crate) last_join: Option<LastJoin>,
    /// Newest first; at most [`PAST_SESSIONS_MAX`].
    #[n(5)]
    pub(crate) past: Vec<PastSession>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Activated {
    #[n(0)]
    pub(crate) dev_addr: DevAddr,
    #[n(1)]
    pub(crate) keys: StoredKeys,
    #[n(2)]
    next_up: u32,
    #[n(3)]
    last_f_cnt: Option<u32>,
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    last_phy: Vec<u8>,
    #[n(5)]
    pub(crate) down: DownCounters,
    /// How often the last frame was answered again.
    #[n(6)]
    pub(crate) reacknowledged: u8,
    #[n(7)]
    pub(crate) mac: MacState,
    /// The command whose acknowledgement is awaited.
    #[n(8)]
    pub(crate) awaiting: Option<u64>,
    /// FCntDown of the last confirmed downlink: what a 1.1 device's ACK is signed with.
    #[n(9)]
    pub(crate) conf_f_cnt: u32,
    /// Frames taken since the session began.
    #[n(10)]
    pub(crate) received: u64,
    /// Frames that its counter says were sent and never heard.
    #[n(11)]
    pub(crate) missed: u64,
}

/// Whose keys a session has.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum StoredKeys {
    /// Derived by a join: they are nowhere else.
    #[n(0)]
    Joined(#[n(0)] SessionKeys),
    /// Those in keys.toml with this fingerprint: with other keys it is another session.
    #[n(1)]
    Personalised(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 8],
    ),
}

/// The last join-request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct LastJoin {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) request: Vec<u8>,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) accept: Vec<u8>,
    #[n(2)]
    pub(crate) boot: BootNo,
    #[n(3)]
    pub(crate) at: MonoMs,
    /// How often the accept was sent again.
    #[n(4)]
    pub(crate) repeated: u8,
}

/// The keys of a session that is over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct PastSession {
    #[n(0)]
    pub(crate) dev_addr: DevAddr,
    #[n(1)]
    pub(crate) keys: SessionKeys,
}

impl Activated {
    /// A session at its beginning.
    pub(crate) fn new(dev_addr: DevAddr, keys: StoredKeys, mac: MacState) -> Activated {
        Activated {
            dev_addr,
            keys,
            next_up: 0,
            last_f_cnt: None,
            last_phy: Vec::new(),
            down: DownCounters::default(),
            reacknowledged: 0,
            mac,
            awaiting: None,
            conf_f_cnt: 0,
            received: 0,
            missed: 0,
        }
    }

    /// What the next frame is judged by.
    pub(crate) fn counters(&self) -> Counters {
        let last = self.last_f_cnt.map(|f_cnt| LastUplink { f_cnt, phy: self.last_phy.clone() });
        Counters { next_up: self.next_up, last }
    }

    /// Takes note of a new frame. Frames between it and the last one were never heard.
    pub(crate) fn took(&mut self, counters: Counters, f_cnt: u32) {
        if self.last_f_cnt.is_some() {
            self.missed = self.missed.saturating_add(f_cnt.saturating_sub(self.next_up).into());
        }
        self.received = self.received.saturating_add(1);
        self.reacknowledged = 0;
        self.next_up = counters.next_up;
        (self.last_f_cnt, self.last_phy) = match counters.last {
            Some(LastUplink { f_cnt, phy }) => (Some(f_cnt), phy),
            None => (None, Vec::new()),
        };
    }

    /// Whether both are one session, perhaps at different times.
    pub(crate) fn is_of(&self, other: &Activated) -> bool {
        self.dev_addr == other.dev_addr && self.keys == other.keys
    }

    /// Takes over from the same session on another box what is further on there.
    pub(crate) fn absorb(&mut self, other: &Activated) {
        self.down.absorb(&other.down);
        self.conf_f_cnt = self.conf_f_cnt.max(other.conf_f_cnt);
        if (other.next_up, other.last_f_cnt) > (self.next_up, self.last_f_cnt) {
            let Activated { next_up, last_f_cnt, last_phy, reacknowledged, mac, received, missed, .. } = other.clone();
            (self.next_up, self.last_f_cnt, self.last_phy) = (next_up, last_f_cnt, last_phy);
            (self.reacknowledged, self.mac) = (reacknowledged, mac);
            (self.received, self.missed) = (received, missed);
        }
    }

    /// Forgets which FCntUp were used: a technician's answer to a device that was reset. FCntDown goes on, because the
    /// device takes any that is higher.
    pub(crate) fn begin_anew(&mut self) {
        (self.next_up, self.last_f_cnt, self.reacknowledged) = (0, None, 0);
        self.last_phy.clear();
    }

    /// The last FCntUp that was taken.
    pub(crate) fn last_f_cnt(&self) -> Option<u32> {
        self.last_f_cnt
    }

    pub(crate) fn is_joined(&self) -> bool {
        matches!(self.keys, StoredKeys::Joined(_))
    }
}

impl StoredKeys {
    /// The fingerprint of keys that stay in keys.toml.
    pub(crate) fn personalised(keys: &SessionKeys) -> StoredKeys {
        let bytes = zeroize::Zeroizing::new(minicbor::to_vec(keys).unwrap_or_default());
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&Sha256::digest(bytes.as_slice())[..8]);
        StoredKeys::Personalised(fingerprint)
    }
}

impl LorawanState {
    /// The pending session has spoken: it is the one in use, and the one before is over.
    pub(crate) fn activate(&mut self, pending: Activated) {
        self.pending = None;
        if let Some(Activated { dev_addr, keys: StoredKeys::Joined(keys), .. }) = self.active.replace(pending) {
            self.past.insert(0, PastSession { dev_addr, keys });
            self.past.truncate(PAST_SESSIONS_MAX);
        }
    }

    /// Addresses that frames may still come from, and those of the frames that can be read again.
    pub(crate) fn dev_addrs(&self) -> impl Iterator<Item = DevAddr> + '_ {
        let live = self.active.iter().chain(&self.pending).map(|session| session.dev_addr);
        live.chain(self.past.iter().map(|past| past.dev_addr))
    }
}
