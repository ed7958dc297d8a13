//! What goes back to a LoRaWAN device.

use ::lorawan::schedule::Windows;
use ::lorawan::{DataDown, F_OPTS_BYTES_MAX, SessionKeys};
use record::SourceId;

use super::Ingest;
use crate::session::lorawan::{Activated, StoredKeys};
use crate::{Activation, Class, CommandStep, Device, DeviceLink, Downlink, LorawanDevice};

/// What an uplink asks for.
pub(super) struct Ask {
    /// FCntUp of a confirmed uplink.
    pub(super) ack: Option<u32>,
    /// The device wants to hear anything at all (ADRACKReq).
    pub(super) heard_wanted: bool,
    /// Answers to its MAC commands.
    pub(super) answers: Vec<u8>,
    /// It lets us choose its data rate.
    pub(super) adr: bool,
}

/// A command on its way to a device that listens all the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// PHYPayload.
    pub phy: Vec<u8>,
    /// Where the device listens.
    pub rx: ::lorawan::RxSettings,
    /// What became of the command; stored, with the session, before the frame leaves.
    pub step: CommandStep,
}

impl Ingest {
    /// The answer to a new frame, if anything must be said: one frame with all of it. Requests of ours go along; the
    /// counter that it uses is stored in the transaction of this verdict, and so durable before it leaves.
    #[expect(clippy::too_many_arguments, reason = "parts of one verdict that is being made")]
    pub(super) fn answer(
        &mut self,
        device: &Device,
        lorawan: &LorawanDevice,
        keys: &SessionKeys,
        session: &mut Activated,
        ask: Ask,
        now_ms: u64,
        steps: &mut Vec<CommandStep>,
    ) -> Option<Downlink> {
        let command = self.commands.next(&device.name).cloned();
        if ask.ack.is_none() && !ask.heard_wanted && ask.answers.is_empty() && command.is_none() {
            return None;
        }
        let f_port = command.as_ref().map(|command| command.f_port);
        let f_cnt_down = session.down.take(keys, f_port)?;
        let mut f_opts = ask.answers;
        let room = F_OPTS_BYTES_MAX.saturating_sub(f_opts.len());
        let wanted = self.network.wanted(session.is_joined(), lorawan.adr);
        f_opts.extend(session.mac.requests(&wanted, ask.adr, now_ms, room).bytes);
        if let Some(command) = &command {
            session.awaiting = command.confirmed.then_some(command.id);
            if command.confirmed {
                session.conf_f_cnt = f_cnt_down;
            }
            steps.extend(self.commands.sent(&device.name));
        }
        let waiting = self.commands.len(&device.name) > usize::from(session.awaiting.is_some());
        let down = DataDown {
            ack: ask.ack,
            confirmed: command.as_ref().is_some_and(|command| command.confirmed),
            adr: lorawan.adr,
            f_pending: waiting,
            f_opts: &f_opts,
            payload: command.as_ref().map(|command| (command.f_port, command.payload.as_slice())),
            ..DataDown::new(session.dev_addr, f_cnt_down)
        };
        let windows = Windows::Data(session.mac.rx(self.network.region));
        down.seal(keys).ok().map(|phy| Downlink { phy, windows })
    }

    /// The answer to a frame that came again: the acknowledgement and the answers, under a new counter.
    pub(super) fn repeat(
        &self,
        keys: &SessionKeys,
        session: &mut Activated,
        ack: Option<u32>,
        answers: &[u8],
    ) -> Option<Downlink> {
        let f_cnt_down = session.down.take(keys, None)?;
        let down = DataDown { ack, f_opts: answers, ..DataDown::new(session.dev_addr, f_cnt_down) };
        let windows = Windows::Data(session.mac.rx(self.network.region));
        down.seal(keys).ok().map(|phy| Downlink { phy, windows })
    }

    /// The next command of a class C device, to be sent at once; none if none waits, one awaits its acknowledgement, or
    /// the device has no session yet. Its session changes: store it.
    pub fn push(&mut self, source: &SourceId) -> Option<Push> {
        let devices = self.devices.clone();
        let device = devices.by_name(source).filter(|device| device.enabled)?;
        let DeviceLink::Lorawan(lorawan) = &device.link else { return None };
        if lorawan.class != Class::C {
            return None;
        }
        let mut state = self.lorawan_state(source);
        let session = state.active.as_mut().filter(|session| session.awaiting.is_none())?;
        let keys = match (&session.keys, &lorawan.activation) {
            (StoredKeys::Joined(keys), _) => keys.clone(),
            (StoredKeys::Personalised(_), Activation::Abp { keys, .. }) => keys.clone(),
            (StoredKeys::Personalised(_), Activation::Otaa { .. }) => return None,
        };
        let command = self.commands.next(source)?.clone();
        let f_cnt_down = session.down.take(&keys, Some(command.f_port))?;
        if command.confirmed {
            (session.awaiting, session.conf_f_cnt) = (Some(command.id), f_cnt_down);
        }
        let down = DataDown {
            confirmed: command.confirmed,
            adr: lorawan.adr,
            payload: Some((command.f_port, &command.payload)),
            ..DataDown::new(session.dev_addr, f_cnt_down)
        };
        let phy = down.seal(&keys).ok()?;
        let rx = session.mac.rx(self.network.region);
        let step = self.commands.sent(source)?;
        self.put_lorawan(device, state);
        Some(Push { phy, rx, step })
    }
}
