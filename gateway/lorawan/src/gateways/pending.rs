//! Downlinks: which gateway sends them, and what becomes of them.

use crate::Eui64;
use crate::gwmp::{Token, TxAck, TxError, TxOutcome, pull_resp};
use crate::schedule::{Plan, Way};

use super::air::Transmission;
use super::gateway::Gateway;
use super::{Gateways, Outgoing, PENDING_MAX, TX_ACK_MS_MAX};

/// A downlink that a gateway was told to send, while it has not said whether it does.
#[derive(Debug)]
pub(super) struct Pending<P> {
    way: Way,
    /// What is left to be tried.
    plan: Plan,
    value: P,
    pub(super) expires_ms: u64,
}

/// Why a downlink is not sent in some way, or at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The plan or its law allows no way to send it: too long, or no downlink channel for this uplink.
    #[error("the channel plan allows no way to send this frame: shorten it, or hand out a faster RX2 data rate")]
    Forbidden,
    /// The receive windows are over.
    #[error("no receive window is left: the device repeats its frame")]
    TooLate,
    /// It never sent a PULL_DATA, so the way to it is unknown.
    #[error("gateway {eui} has not sent PULL_DATA: check its server address and down port")]
    NoPath {
        /// Which gateway.
        eui: Eui64,
    },
    /// 32 of its downlinks have no TX_ACK yet.
    #[error("gateway {eui} has 32 downlinks without TX_ACK: drop this one, the device repeats its frame")]
    QueueFull {
        /// Which gateway.
        eui: Eui64,
    },
    /// It sends something else at that time.
    #[error("gateway {eui} sends another downlink at that time: drop this one, the device repeats its frame")]
    OnAir {
        /// Which gateway.
        eui: Eui64,
    },
    /// It was on air in that sub-band for as long as the law allows within an hour.
    #[error("gateway {eui} has used up its time on air in {sub_band} MHz: ask for fewer confirmed uplinks")]
    DutyCycle {
        /// Which gateway.
        eui: Eui64,
        /// Which sub-band.
        sub_band: &'static str,
    },
    /// Its counter began anew since the uplink, so nobody knows when the window is.
    #[error("gateway {eui} restarted since the uplink: drop this one, the device repeats its frame")]
    Restarted {
        /// Which gateway.
        eui: Eui64,
    },
    /// It refused, and nothing else was left to try.
    #[error("gateway {eui} refused it with {}", error.code())]
    Refused {
        /// Which gateway.
        eui: Eui64,
        /// Its reason.
        error: TxError,
    },
    /// It never said anything: it may have dropped a `txpk` that it could not read, or have sent it.
    #[error("gateway {eui} sent no TX_ACK: check its down port, and its version")]
    Silent {
        /// Which gateway.
        eui: Eui64,
    },
}

/// A downlink that came to nothing, with what the caller gave along.
#[derive(Debug, PartialEq, Eq)]
pub struct NotSent<P> {
    /// What the caller gave along.
    pub value: P,
    /// Of the best way.
    pub why: SendError,
}

/// What a TX_ACK means.
#[derive(Debug, PartialEq, Eq)]
pub enum Acknowledged<P> {
    /// It belongs to no downlink of ours, or comes too late.
    Unmatched,
    /// The gateway sends it.
    Queued {
        /// What the caller gave along.
        value: P,
        /// In which way.
        way: Way,
        /// With which power, dBm, if it is another than asked for and the gateway says which.
        power_dbm: Option<i8>,
    },
    /// The gateway refused; here is the next way to be tried.
    Again(Outgoing),
    /// The gateway refused, and nothing is left to try.
    NotSent(NotSent<P>),
}

impl<P> Gateways<P> {
    /// Tells a gateway to send: the first way of `plan` that has a path, free air and time left by law. Everything else
    /// of the plan is kept for the case that the gateway refuses. `value` comes back with what becomes of it.
    ///
    /// # Errors
    /// [`NotSent`] with the [`SendError`] of the best way, and the `value`.
    pub fn send(&mut self, now_ms: u64, plan: Plan, value: P) -> Result<Outgoing, NotSent<P>> {
        self.try_ways(now_ms, plan, value, SendError::Forbidden)
    }

    /// What an admitted TX_ACK means: match it by gateway and token, for some forwarders send it from the other port.
    pub fn acknowledged(&mut self, now_ms: u64, ack: &TxAck) -> Acknowledged<P> {
        let eui = ack.eui;
        let Some(gateway) = self.table.get_mut(&eui) else { return Acknowledged::Unmatched };
        let Some(pending) = gateway.pending.remove(&ack.token) else {
            gateway.counters.tx_ack_unmatched += 1;
            return Acknowledged::Unmatched;
        };
        gateway.counters.count_outcome(ack.outcome);
        let Pending { way, mut plan, value, .. } = pending;
        let error = match ack.outcome {
            TxOutcome::Queued => return Acknowledged::Queued { value, way, power_dbm: None },
            TxOutcome::QueuedAtOtherPower { power_dbm } => return Acknowledged::Queued { value, way, power_dbm },
            TxOutcome::Refused(error) => error,
        };
        gateway.release(&way);
        if !error.is_timing() {
            plan.ways.clear();
        }
        match self.try_ways(now_ms, plan, value, SendError::Refused { eui, error }) {
            Ok(outgoing) => Acknowledged::Again(outgoing),
            Err(not_sent) => Acknowledged::NotSent(NotSent { why: SendError::Refused { eui, error }, ..not_sent }),
        }
    }

    /// Takes out what has waited too long for its TX_ACK, and what was pending when its gateway restarted.
    pub fn expire(&mut self, now_ms: u64) -> Vec<NotSent<P>> {
        let mut expired = std::mem::take(&mut self.dropped);
        for (eui, gateway) in &mut self.table {
            let is_late = |(_, pending): &(&Token, &Pending<P>)| pending.expires_ms <= now_ms;
            let late: Vec<Token> = gateway.pending.iter().filter(is_late).map(|(token, _)| *token).collect();
            gateway.counters.tx_timed_out += late.len() as u64;
            // It may have been sent, so its time on air stays booked.
            let taken = late.iter().filter_map(|token| gateway.pending.remove(token));
            expired.extend(taken.map(|pending| NotSent { value: pending.value, why: SendError::Silent { eui: *eui } }));
        }
        expired
    }

    /// When [`Gateways::expire`] has something to do; none if nothing is pending.
    pub fn next_timeout_ms(&self) -> Option<u64> {
        if !self.dropped.is_empty() {
            return Some(0);
        }
        self.table.values().flat_map(|gateway| gateway.pending.values()).map(|pending| pending.expires_ms).min()
    }

    /// `why` is told if there is no way at all.
    fn try_ways(&mut self, now_ms: u64, mut plan: Plan, value: P, why: SendError) -> Result<Outgoing, NotSent<P>> {
        let mut first = None;
        while let Some(way) = plan.ways.pop_front() {
            let tried = match self.table.get_mut(&way.gateway) {
                Some(gateway) => gateway.may_send(now_ms, &way),
                None => Err(SendError::NoPath { eui: way.gateway }),
            };
            match tried {
                Ok(()) => return self.hand_over(now_ms, way, plan, value),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        Err(NotSent { value, why: first.unwrap_or(why) })
    }

    fn hand_over(&mut self, now_ms: u64, way: Way, plan: Plan, value: P) -> Result<Outgoing, NotSent<P>> {
        let no_path = SendError::NoPath { eui: way.gateway };
        let Some(gateway) = self.table.get_mut(&way.gateway) else { return Err(NotSent { value, why: no_path }) };
        let Some((to, _)) = gateway.pull else { return Err(NotSent { value, why: no_path }) };
        // Ends after at most PENDING_MAX steps.
        let token = loop {
            let token = Token(self.token_next.to_be_bytes());
            self.token_next = self.token_next.wrapping_add(1);
            if !gateway.pending.contains_key(&token) {
                break token;
            }
        };
        let transmission = Transmission::new(way.starts_ms, way.airtime_us);
        gateway.air.reserve(transmission);
        gateway.ledger.book(way.channel.frequency_hz, transmission.ends_ms, way.airtime_us);
        gateway.counters.count_sent(way.window);
        let datagram = pull_resp(token, &plan.txpk(&way));
        let expires_ms = now_ms.saturating_add(TX_ACK_MS_MAX);
        gateway.pending.insert(token, Pending { way, plan, value, expires_ms });
        Ok(Outgoing { to, datagram })
    }
}

impl<P> Gateway<P> {
    /// Whether this gateway can send in this way; what stands against it is counted.
    fn may_send(&mut self, now_ms: u64, way: &Way) -> Result<(), SendError> {
        let eui = way.gateway;
        if way.run.is_some_and(|run| run != self.run) {
            return Err(SendError::Restarted { eui });
        }
        if !way.is_open(now_ms) {
            return Err(SendError::TooLate);
        }
        if self.pull.is_none() {
            self.counters.no_path += 1;
            return Err(SendError::NoPath { eui });
        }
        if self.pending.len() >= PENDING_MAX {
            self.counters.queue_full += 1;
            return Err(SendError::QueueFull { eui });
        }
        if !self.air.is_free(now_ms, &Transmission::new(way.starts_ms, way.airtime_us)) {
            self.counters.on_air += 1;
            return Err(SendError::OnAir { eui });
        }
        let frequency_hz = way.channel.frequency_hz;
        if !self.ledger.allows(now_ms, frequency_hz, way.airtime_us) {
            self.counters.duty_cycle += 1;
            let sub_band = self.ledger.sub_band(frequency_hz).map_or("", |sub_band| sub_band.name);
            return Err(SendError::DutyCycle { eui, sub_band });
        }
        Ok(())
    }

    /// What it refused is not on air.
    fn release(&mut self, way: &Way) {
        let transmission = Transmission::new(way.starts_ms, way.airtime_us);
        self.air.cancel(&transmission);
        self.ledger.cancel(way.channel.frequency_hz, transmission.ends_ms, way.airtime_us);
    }

    /// Its counter began anew: what it had queued is gone.
    pub(super) fn drop_pending(&mut self, eui: Eui64) -> impl Iterator<Item = NotSent<P>> {
        let pending = std::mem::take(&mut self.pending);
        self.counters.tx_dropped += pending.len() as u64;
        pending.into_values().map(move |pending| NotSent { value: pending.value, why: SendError::Restarted { eui } })
    }
}
