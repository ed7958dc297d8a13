//! What a device was asked, what it answered, and what is to be asked next.

use minicbor::{Decode, Encode};

use super::wanted::DEV_STATUS_INTERVAL_MS;
use super::windows::Windows;
use super::{Learned, Power, Request, UplinkCommand, Wanted};
use crate::adr::{AdrHistory, AdrRate};
use crate::{CfList, Region, RxSettings};

/// How often a request is sent before the device counts as one that does not know it. A request costs a downlink, and
/// the gateway is deaf while it sends.
pub const REQUEST_ATTEMPTS_MAX: u8 = 3;

/// More settings than there are to ask for: six masks, ADR, duty cycle, receive windows twice, status, five channels.
const ENTRIES_MAX: usize = 24;

/// The settings of a device as far as they are known, and the requests that are out. Part of its session: stored in the
/// transaction of the frame that changed it, new with each join.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MacState {
    /// Receive windows that the device uses now.
    #[n(0)]
    rx: Windows,
    /// EU868: the channels that the device is known to have.
    #[n(1)]
    channels: u16,
    #[n(2)]
    tx_power: u8,
    /// Data rate of the last uplink.
    #[n(3)]
    dr: Option<u8>,
    #[n(4)]
    history: AdrHistory,
    /// When the device last told its status, or was given up, in the caller's milliseconds.
    #[n(5)]
    dev_status_ms: Option<u64>,
    /// At most [`ENTRIES_MAX`].
    #[n(6)]
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Entry {
    #[n(0)]
    request: Request,
    #[n(1)]
    attempts: u8,
    #[n(2)]
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
enum Outcome {
    /// To be asked, or asked again.
    #[n(0)]
    Waiting,
    /// Asked in the last downlink: only such a request can be answered now.
    #[n(1)]
    Out,
    #[n(2)]
    Accepted,
    /// Refused, or never answered: not asked again in this session.
    #[n(3)]
    Closed,
}

/// What to put into the next downlink.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// MAC commands.
    pub bytes: Vec<u8>,
    /// Requests that were sent [`REQUEST_ATTEMPTS_MAX`] times in vain, reported once.
    pub given_up: Vec<Request>,
}

impl Entry {
    /// It can be answered by `cid` now.
    fn is_out(&self, cid: u8) -> bool {
        self.outcome == Outcome::Out && self.request.cid() == cid
    }
}

impl MacState {
    /// A session opened by a join-accept that gave these.
    pub fn joined(region: Region, rx: RxSettings, cf_list: Option<CfList>) -> MacState {
        let extra = cf_list.iter().flat_map(|list| list.frequencies_hz()).filter(|hz| **hz != 0).count();
        let channels = Wanted::default_channels(region) | ((1u16 << extra) - 1) << 3;
        MacState {
            rx: rx.into(),
            channels: if region == Region::Eu868 { channels } else { 0 },
            tx_power: 0,
            dr: None,
            history: AdrHistory::default(),
            dev_status_ms: None,
            entries: Vec::new(),
        }
    }

    /// A personalised device: it starts with the plan's settings.
    pub fn personalised(region: Region) -> MacState {
        MacState::joined(region, RxSettings::standard(region), None)
    }

    /// The windows in which the device listens now.
    pub fn rx(&self, region: Region) -> RxSettings {
        self.rx.settings(region)
    }

    /// Takes in a new frame: its data rate, the best SNR at which it was heard, tenths of a dB, and its MAC commands.
    /// `now_ms` is a time that goes on over restarts; a jump of it costs at most a DevStatusReq.
    pub fn heard(
        &mut self,
        region: Region,
        dr: Option<u8>,
        snr_ddb: Option<i16>,
        commands: &[UplinkCommand],
        now_ms: u64,
    ) -> Vec<Learned> {
        if let (Some(before), Some(now)) = (self.dr, dr)
            && now < before
        {
            // It was not answered for long and takes back power, then data rate (1.0.4 §4.3.1.1).
            self.tx_power = 0;
            self.history.clear();
        }
        self.dr = dr.or(self.dr);
        snr_ddb.into_iter().for_each(|snr_ddb| self.history.push(snr_ddb));
        let mut learned = Vec::new();
        let mut link_adr_statuses = commands.iter().filter_map(|command| match command {
            UplinkCommand::LinkAdrAns { status } => Some(*status),
            _ => None,
        });
        // A block of LinkADRReq is answered once for each, or once for all, always as a whole.
        if let Some(status) = link_adr_statuses.next().map(|first| link_adr_statuses.fold(first, |all, one| all & one))
        {
            let out = self.entries.iter().filter(|entry| entry.is_out(0x03)).count();
            (0..out.max(1)).for_each(|_| learned.push(self.answered(0x03, status, 0b111)));
        }
        for command in commands {
            match command {
                UplinkCommand::DutyCycleAns => learned.push(self.answered(0x04, 0, 0)),
                UplinkCommand::RxParamSetupAns { status } => learned.push(self.answered(0x05, *status, 0b111)),
                UplinkCommand::NewChannelAns { status } => learned.push(self.answered(0x07, *status, 0b11)),
                UplinkCommand::RxTimingSetupAns => learned.push(self.answered(0x08, 0, 0)),
                UplinkCommand::DevStatusAns { battery, margin_db } => {
                    self.entries.retain(|entry| entry.request != Request::DevStatus);
                    self.dev_status_ms = Some(now_ms);
                    let power = match battery {
                        0 => Power::External,
                        255 => Power::Unknown,
                        level => Power::Battery(*level),
                    };
                    learned.push(Learned::Status { power, margin_db: *margin_db });
                }
                UplinkCommand::ResetInd { .. } => {
                    *self = MacState { dev_status_ms: self.dev_status_ms, ..MacState::personalised(region) };
                    self.dr = dr;
                    learned.push(Learned::Reset);
                }
                UplinkCommand::LinkAdrAns { .. }
                | UplinkCommand::LinkCheckReq
                | UplinkCommand::DeviceTimeReq
                | UplinkCommand::RekeyInd { .. }
                | UplinkCommand::Other { .. } => {}
            }
        }
        learned
    }

    /// Matches an answer with the oldest request of its command that is out; all bits of `done` mean that it is done.
    fn answered(&mut self, cid: u8, status: u8, done: u8) -> Learned {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.is_out(cid)) else {
            return Learned::Unasked { cid };
        };
        let request = entry.request;
        if status != done {
            entry.outcome = Outcome::Closed;
            return Learned::Refused { request, status };
        }
        entry.outcome = Outcome::Accepted;
        match request {
            Request::Adr { tx_power, .. } => {
                self.tx_power = tx_power;
                self.history.clear();
            }
            Request::RxParamSetup { rx1_dr_offset, rx2_dr, rx2_frequency_hz } => {
                self.rx = Windows { rx1_dr_offset, rx2_dr, rx2_frequency_hz, ..self.rx };
            }
            Request::RxTimingSetup { delay_s } => self.rx.rx1_delay_s = delay_s,
            Request::NewChannel { index, .. } => self.channels |= 1u16.checked_shl(index.into()).unwrap_or(0),
            Request::ChMask { .. } | Request::DutyCycle { .. } | Request::DevStatus => {}
        }
        Learned::Accepted(request)
    }

    /// What to ask in a downlink that leaves now with `room` bytes left for MAC commands. Call it only for a downlink
    /// that is really sent: it counts the attempt. `adr` is the uplink's FCtrl.ADR.
    pub fn requests(&mut self, wanted: &Wanted, adr: bool, now_ms: u64, room: usize) -> Asked {
        // A device answers with its next uplink; one that is heard only now has lost that.
        for entry in self.entries.iter_mut().filter(|entry| entry.outcome == Outcome::Out) {
            entry.outcome = Outcome::Waiting;
        }
        let mut asked = Asked::default();
        let mut channels_open = false;
        for request in self.wishes(wanted, adr, now_ms) {
            let Some(at) = self.entry(request) else { continue };
            let entry = &mut self.entries[at];
            if entry.outcome != Outcome::Waiting {
                continue;
            }
            if entry.attempts >= REQUEST_ATTEMPTS_MAX {
                asked.given_up.push(request);
                self.give_up(at, now_ms);
                continue;
            }
            // ADR comes after the channels: its mask switches off what the device is not known to have, and in one block
            // with other masks it would be refused with them.
            channels_open |= matches!(request, Request::ChMask { .. } | Request::NewChannel { .. });
            let bytes = request.to_bytes();
            if asked.bytes.len() + bytes.len() > room || (channels_open && matches!(request, Request::Adr { .. })) {
                continue;
            }
            *entry = Entry { request, attempts: entry.attempts + 1, outcome: Outcome::Out };
            asked.bytes.extend(bytes);
        }
        asked
    }

    /// All that the device is not known to have, the most urgent first.
    fn wishes(&self, wanted: &Wanted, adr: bool, now_ms: u64) -> Vec<Request> {
        let mut wishes = Vec::new();
        let (rx, now) = (Windows::from(wanted.rx), self.rx);
        let dr = self.dr.unwrap_or_default();
        wishes.extend(wanted.ch_masks(dr, self.tx_power));
        if now.rx1_delay_s != rx.rx1_delay_s {
            wishes.push(Request::RxTimingSetup { delay_s: rx.rx1_delay_s });
        }
        if now != (Windows { rx1_delay_s: now.rx1_delay_s, ..rx }) {
            let Windows { rx1_dr_offset, rx2_dr, rx2_frequency_hz, .. } = rx;
            wishes.push(Request::RxParamSetup { rx1_dr_offset, rx2_dr, rx2_frequency_hz });
        }
        wishes.extend(wanted.new_channels(self.channels));
        wishes.extend(wanted.duty_cycle_max.map(|max| Request::DutyCycle { max }));
        if let (true, Some(dr), Some((ch_mask_cntl, ch_mask))) =
            (adr && wanted.adr, self.dr, wanted.ch_mask(self.channels))
            && let Some(better) = self.history.better(wanted.region, AdrRate { dr, tx_power: self.tx_power })
        {
            wishes.push(Request::Adr { dr: better.dr, tx_power: better.tx_power, ch_mask_cntl, ch_mask });
        }
        // A clock that was set back asks again, rather than never.
        let due = |last: u64| now_ms < last || now_ms - last >= DEV_STATUS_INTERVAL_MS;
        if wanted.dev_status && self.dev_status_ms.is_none_or(due) {
            wishes.push(Request::DevStatus);
        }
        wishes
    }

    /// The entry of this request's setting, new if the wish is new; none if there is no room for one.
    fn entry(&mut self, request: Request) -> Option<usize> {
        let fresh = Entry { request, attempts: 0, outcome: Outcome::Waiting };
        match self.entries.iter().position(|entry| entry.request.same_setting(&request)) {
            Some(at) => {
                let entry = &mut self.entries[at];
                // ADR asks for the same again once the device has left it.
                let again = matches!(request, Request::Adr { .. }) && entry.outcome == Outcome::Accepted;
                if again || !entry.request.same_wish(&request) {
                    *entry = fresh;
                }
                Some(at)
            }
            None if self.entries.len() < ENTRIES_MAX => {
                self.entries.push(fresh);
                Some(self.entries.len() - 1)
            }
            None => None,
        }
    }

    /// Status and data rate are asked for again later, a setting is not.
    fn give_up(&mut self, at: usize, now_ms: u64) {
        match self.entries[at].request {
            Request::DevStatus => {
                self.dev_status_ms = Some(now_ms);
                self.entries.remove(at);
            }
            Request::Adr { .. } => {
                self.history.clear();
                self.entries.remove(at);
            }
            _ => self.entries[at].outcome = Outcome::Closed,
        }
    }
}

#[cfg(test)]
mod tests;
