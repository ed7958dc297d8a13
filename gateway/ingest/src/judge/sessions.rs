//! What is stored of devices, in and out.

use std::collections::HashMap;
use std::sync::Arc;

use envelope::ReplayWindow;
use record::SourceId;

use super::Ingest;
use crate::command::{Command, Commands};
use crate::evidence::EvidenceBudget;
use crate::redelivery::Redelivery;
use crate::session::Session;
use crate::session::lorawan::{Activated, LorawanState};
use crate::strangers::{Stranger, Strangers};
use crate::{Activation, Device, DeviceLink, DeviceTable, LorawanDevice, Network, SessionError};

/// Why the DevNonces of a device cannot be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlushError {
    /// It is not in the table.
    #[error("there is no device `{0}` · try: weir device list")]
    Unknown(SourceId),
    /// It does not join.
    #[error("device `{0}` does not join, so it has no DevNonces · try: weir device show {0}")]
    NoJoins(SourceId),
}

/// Why the frame counter of a device is not forgotten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CounterError {
    /// It is not in the table.
    #[error("there is no device `{0}` · try: weir device list")]
    Unknown(SourceId),
    /// It begins anew by itself.
    #[error(
        "device `{0}` joins, which begins its counter anew · try: restart the device; weir device flush-nonces {0}"
    )]
    Joins(SourceId),
    /// Its frames have none.
    #[error("device `{0}` does not seal its frames, so it has no counter · try: weir device show {0}")]
    Unsealed(SourceId),
    /// Another network server decides.
    #[error("ChirpStack keeps the counter of device `{0}` · try: ChirpStack's page of the device")]
    Chirpstack(SourceId),
}

/// How much of what a device sent was heard, since its session began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkQuality {
    /// Frames taken.
    pub received: u64,
    /// Frames that its counter says were sent and never came.
    pub missed: u64,
}

impl Ingest {
    /// Starts with the stored sessions (opaque bytes from [`Ingest::session`], by device).
    ///
    /// # Errors
    /// [`SessionError`] if stored bytes are none that this version wrote.
    pub fn new<'a>(
        devices: Arc<DeviceTable>,
        network: Network,
        stored: impl Iterator<Item = (&'a SourceId, &'a [u8])>,
        budget: EvidenceBudget,
    ) -> Result<Ingest, SessionError> {
        let mut ingest = Ingest {
            devices,
            network,
            sessions: HashMap::new(),
            joined: std::collections::BTreeMap::new(),
            commands: Commands::default(),
            redelivery: Redelivery::default(),
            budget,
            strangers: Strangers::default(),
            outfalls: std::collections::BTreeSet::new(),
        };
        for (source, bytes) in stored.filter(|(_, bytes)| !bytes.is_empty()) {
            ingest.put(source, Session::from_bytes(source, bytes)?);
        }
        Ok(ingest)
    }

    /// What must be stored of a device's session; empty if it has none.
    pub fn session(&self, source: &SourceId) -> Vec<u8> {
        self.sessions.get(source).map(Session::to_bytes).unwrap_or_default()
    }

    /// Takes over a device's session, as [`import_sessions`](crate::import_sessions) made it; store what it has become.
    /// What this box knows of the device already is not forgotten.
    ///
    /// # Errors
    /// [`SessionError`] if the bytes are none of this version.
    pub fn take_over(&mut self, source: &SourceId, bytes: &[u8]) -> Result<(), SessionError> {
        let moved = Session::from_bytes(source, bytes)?;
        let session = match self.sessions.get(source) {
            Some(own) => own.clone().merged(moved),
            None => moved,
        };
        self.put(source, session);
        Ok(())
    }

    /// Forgets the DevNonces of a device: a technician's answer to one that was reset. Store its session afterwards. Old
    /// join-requests of it can be replayed from then on, at most once each.
    ///
    /// # Errors
    /// [`FlushError`].
    pub fn flush_nonces(&mut self, source: &SourceId) -> Result<(), FlushError> {
        let device = self.devices.by_name(source).ok_or_else(|| FlushError::Unknown(source.clone()))?;
        let DeviceLink::Lorawan(LorawanDevice { activation: Activation::Otaa { .. }, .. }) = &device.link else {
            return Err(FlushError::NoJoins(source.clone()));
        };
        let mut state = self.lorawan_state(source);
        if let Some(nonces) = &mut state.nonces {
            nonces.flush();
        }
        self.put(source, Session::Lorawan(state));
        Ok(())
    }

    /// Forgets which frame counters of a device were used, and gives the highest of them: a technician's answer to one
    /// that lost its counter, or jumped to the end of it. Store its session afterwards. Whoever recorded its frames can
    /// send each of them once more from then on.
    ///
    /// # Errors
    /// [`CounterError`].
    pub fn reset_counter(&mut self, source: &SourceId) -> Result<Option<u64>, CounterError> {
        let device = self.devices.by_name(source).ok_or_else(|| CounterError::Unknown(source.clone()))?;
        match &device.link {
            DeviceLink::Lorawan(LorawanDevice { activation: Activation::Abp { .. }, .. }) => {
                let mut state = self.lorawan_state(source);
                let highest = state.active.as_ref().and_then(Activated::last_f_cnt).map(u64::from);
                state.active.as_mut().into_iter().for_each(Activated::begin_anew);
                self.put(source, Session::Lorawan(state));
                Ok(highest)
            }
            DeviceLink::Lorawan(_) => Err(CounterError::Joins(source.clone())),
            DeviceLink::Mqtt(mqtt) if mqtt.seal_key.is_none() => Err(CounterError::Unsealed(source.clone())),
            DeviceLink::Mqtt(_) | DeviceLink::Serial(_) => {
                let highest = self.window(source).highest();
                self.put(source, Session::Sealed(ReplayWindow::default()));
                Ok(highest)
            }
            DeviceLink::Chirpstack(_) => Err(CounterError::Chirpstack(source.clone())),
        }
    }

    /// Adds a command to what waits for a device; it goes with the next answer.
    pub fn queue(&mut self, device: SourceId, command: Command) {
        self.commands.queue(device, command);
    }

    /// How many commands wait for a device.
    pub fn commands_waiting(&self, device: &SourceId) -> usize {
        self.commands.len(device)
    }

    /// The delivery of a LoRaWAN device's session in use; none if it has not spoken yet, or uses another link.
    pub fn link_quality(&self, device: &SourceId) -> Option<LinkQuality> {
        match self.sessions.get(device) {
            Some(Session::Lorawan(LorawanState { active: Some(Activated { received, missed, .. }), .. })) => {
                Some(LinkQuality { received: *received, missed: *missed })
            }
            _ => None,
        }
    }

    /// Who was heard and is in no table, since the start.
    pub fn strangers(&self) -> impl Iterator<Item = &Stranger> {
        self.strangers.iter()
    }

    /// Goes on counting the strangers of `before`, which this one replaces after a commit that failed.
    pub fn take_strangers(&mut self, before: &mut Ingest) {
        self.strangers = std::mem::take(&mut before.strangers);
    }

    /// The LoRaWAN sessions of a device; none yet for one that never spoke, or spoke on another link before.
    pub(super) fn lorawan_state(&self, source: &SourceId) -> LorawanState {
        match self.sessions.get(source) {
            Some(Session::Lorawan(state)) => state.clone(),
            _ => LorawanState::default(),
        }
    }

    /// Replaces a session, and finds its device by the new addresses from now on.
    pub(super) fn put(&mut self, source: &SourceId, session: Session) {
        if let Some(Session::Lorawan(before)) = self.sessions.get(source) {
            for dev_addr in before.dev_addrs() {
                if let Some(sources) = self.joined.get_mut(&dev_addr) {
                    sources.retain(|other| other != source);
                    if sources.is_empty() {
                        self.joined.remove(&dev_addr);
                    }
                }
            }
        }
        if let Session::Lorawan(after) = &session {
            for dev_addr in after.dev_addrs() {
                let sources = self.joined.entry(dev_addr).or_default();
                if !sources.contains(source) {
                    sources.push(source.clone());
                }
            }
        }
        self.sessions.insert(source.clone(), session);
    }

    pub(super) fn put_lorawan(&mut self, device: &Device, state: LorawanState) {
        self.put(&device.name, Session::Lorawan(state));
    }
}
