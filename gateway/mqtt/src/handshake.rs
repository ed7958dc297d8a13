//! CONNECT: who is there, and may they come in (MQTT 3.1.1 §3.1, MQTT 5 §3.1).

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttd::protocol::{self, ConnAckProperties, ConnectReturnCode as Code, LastWill, LastWillProperties};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer;
use crate::close::Close;
use crate::counters::{Counter, Counters};
use crate::edge::Shared;
use crate::packet::{Header, Level};
use crate::session_state::SUBSCRIPTIONS_MAX;
use crate::strangers::{Claim, Unknown};
use crate::verify::Unproven;
use crate::will::Will;
use crate::wire::Wire;
use crate::{Credentials, Device, Filter, Limits, Proof, Refusal};

/// First byte of CONNECT; its flags are fixed.
const CONNECT: u8 = 0x10;
/// Longest client id in bytes.
const CLIENT_ID_BYTES_MAX: usize = 64;

/// A client that was let in, and what it asked for.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) level: Level,
    pub(crate) device: Device,
    /// Its keep-alive in seconds; 0 is none.
    pub(crate) keep_alive: u16,
    /// It wants no earlier session (Clean Session, Clean Start).
    pub(crate) clean: bool,
    /// How long its session may wait for it, in seconds; 0: it ends with the connection.
    pub(crate) expiry_s: u32,
    /// Its will, and how long that is to wait for its return.
    pub(crate) will: Option<(Will, Duration)>,
    /// MQTT 5 Receive Maximum of the client.
    pub(crate) receive_max: u16,
    /// MQTT 5 Maximum Packet Size of the client, in bytes.
    pub(crate) packet_bytes_max: usize,
    /// It wants Reason Strings in acknowledgements.
    pub(crate) problem_info: bool,
}

impl Admitted {
    /// Silence after which it is closed: one and a half times the keep-alive (MQTT-3.1.2-24), or our own limit.
    pub(crate) fn silence_max(&self, limits: &Limits) -> Duration {
        match self.keep_alive {
            0 => limits.idle_max,
            seconds => Duration::from_millis(1_500 * u64::from(seconds)),
        }
    }
}

/// A client that was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is not told why: it does not speak MQTT, or is gone.
    Silently(Close),
    /// A protocol level that we do not speak; `answer` has the version in which it is told.
    Level { answer: Level },
    /// Told in CONNACK. What the client said of itself, as far as it was read, is for people.
    With { level: Level, why: Why, claim: Claim },
}

/// Why a well-understood CONNECT is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Malformed,
    ClientIdEmpty,
    ClientIdInvalid,
    AuthMethod,
    Credentials(Refusal),
    Busy,
    Identity,
    Certificate,
    NotStored,
    WillTopic,
    WillRetain,
}

impl Why {
    fn counter(self, counters: &Counters) -> &Counter {
        match self {
            Self::Malformed => &counters.malformed,
            Self::ClientIdEmpty | Self::ClientIdInvalid => &counters.client_id_invalid,
            Self::AuthMethod => &counters.auth_method_refused,
            Self::Credentials(Refusal::UnknownDevice) => &counters.unknown_device,
            Self::Credentials(Refusal::BadPassword) => &counters.bad_password,
            Self::Busy => &counters.proof_busy,
            Self::Identity => &counters.client_id_mismatch,
            Self::Certificate => &counters.certificate_mismatch,
            Self::NotStored => &counters.sessions_not_stored,
            Self::WillTopic | Self::WillRetain => &counters.will_refused,
        }
    }

    /// Return code of MQTT 3.1.1, reason code of MQTT 5, Reason String.
    fn told(self) -> (Code, Code, &'static str) {
        match self {
            Self::Malformed => {
                (Code::NotAuthorized, Code::MalformedPacket, "malformed CONNECT; check the client library")
            }
            Self::ClientIdEmpty => (
                Code::ClientIdentifierNotValid,
                Code::ClientIdentifierNotValid,
                "the client id is empty; set it to the device's name",
            ),
            Self::ClientIdInvalid => (
                Code::NotAuthorized,
                Code::ClientIdentifierNotValid,
                "the client id may hold 1 to 64 of A-Z a-z 0-9 _ . -; set it to the device's name",
            ),
            Self::AuthMethod => (
                Code::NotAuthorized,
                Code::BadAuthenticationMethod,
                "authentication methods are not supported; use user name and password",
            ),
            Self::Credentials(_) => (
                Code::NotAuthorized,
                Code::BadUserNamePassword,
                "user name or password is wrong; compare with the gateway's device table",
            ),
            Self::Busy => (
                Code::ServiceUnavailable,
                Code::ServerBusy,
                "too many clients prove themselves now; connect again later",
            ),
            Self::Certificate => (
                Code::NotAuthorized,
                Code::NotAuthorized,
                "client id, and user name if there is one, must be the name in the client's certificate",
            ),
            Self::NotStored => (
                Code::ServiceUnavailable,
                Code::ServerUnavailable,
                "the session could not be stored; connect again later",
            ),
            Self::Identity => {
                (Code::NotAuthorized, Code::NotAuthorized, "client id and user name must both be the device's name")
            }
            Self::WillTopic => {
                (Code::NotAuthorized, Code::NotAuthorized, "the will's topic must be one the device may publish to")
            }
            Self::WillRetain => {
                (Code::NotAuthorized, Code::RetainNotSupported, "a will cannot be retained; clear its retain flag")
            }
        }
    }
}

impl Refused {
    /// Who that was, if a technician may want to let it in.
    pub(crate) fn stranger(&self) -> Option<(&Claim, Unknown)> {
        let Self::With { why, claim, .. } = self else { return None };
        let unknown = match why {
            Why::Credentials(Refusal::UnknownDevice) => Unknown::Device,
            Why::Credentials(Refusal::BadPassword) => Unknown::Secret,
            Why::Identity => Unknown::Identity,
            Why::Certificate => Unknown::Certificate,
            Why::ClientIdEmpty | Why::ClientIdInvalid => Unknown::ClientId,
            Why::Malformed | Why::AuthMethod | Why::Busy | Why::NotStored | Why::WillTopic | Why::WillRetain => {
                return None;
            }
        };
        Some((claim, unknown))
    }

    /// Counts the refusal and writes the answer, if there is one.
    pub(crate) fn answer(&self, counters: &Counters, out: &mut BytesMut) -> Option<u64> {
        match *self {
            Self::Silently(close) => close.counter(counters).map(Counter::count),
            Self::Level { answer: level } => {
                let code = match level {
                    Level::V4 => Code::RefusedProtocolVersion,
                    Level::V5 => Code::UnsupportedProtocolVersion,
                };
                answer::connack(out, level, code, false, told("use MQTT 3.1.1 or MQTT 5"));
                Some(counters.level_refused.count())
            }
            Self::With { level, why, .. } => {
                let (v4, v5, reason) = why.told();
                let code = if level == Level::V4 { v4 } else { v5 };
                answer::connack(out, level, code, false, told(reason));
                Some(why.counter(counters).count())
            }
        }
    }
}

fn told(reason: &str) -> ConnAckProperties {
    ConnAckProperties { reason_string: Some(reason.to_owned()), ..ConnAckProperties::default() }
}

/// Reads CONNECT and decides. `names` are those of the client's certificate, if it showed one.
pub(crate) async fn receive<S>(
    wire: &mut Wire<S>,
    shared: &Shared,
    names: Option<&[String]>,
) -> Result<Admitted, Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let header = read_connect(wire, &shared.limits).await?;
    let level = connect_level(&wire.input[header.header_bytes..header.packet_bytes()])?;
    let malformed = match level {
        Level::V4 => Refused::Silently(Close::Malformed),
        Level::V5 => Refused::With { level, why: Why::Malformed, claim: Claim::default() },
    };
    match level.parse(&mut wire.input, header.body_bytes) {
        Ok(protocol::Packet::Connect(connect, properties, will, will_properties, login)) => {
            let properties = properties.as_ref();
            let with = |why| {
                let claim = Claim::new(&connect.client_id, login.as_ref().map(|login| login.username.as_str()));
                Refused::With { level, why, claim }
            };
            if properties.is_some_and(|p| p.authentication_method.is_some()) {
                return Err(with(Why::AuthMethod));
            }
            let device = identify(&connect.client_id, login.as_ref(), names, shared).await.map_err(with)?;
            let will = match will {
                Some(will) => {
                    let topic_bytes_max = shared.limits.topic_bytes_max;
                    let checked = checked_will(will, will_properties.as_ref(), level, &device, topic_bytes_max);
                    Some(checked.map_err(with)?)
                }
                None => None,
            };
            let expiry_s = match level {
                Level::V4 if connect.clean_session => 0,
                Level::V4 => u32::MAX,
                Level::V5 => properties.and_then(|p| p.session_expiry_interval).unwrap_or(0),
            };
            Ok(Admitted {
                level,
                keep_alive: connect.keep_alive,
                clean: connect.clean_session,
                expiry_s: expiry_s.min(session_expiry_s_max(&shared.limits)),
                will,
                receive_max: properties.and_then(|p| p.receive_maximum).unwrap_or(u16::MAX),
                packet_bytes_max: properties
                    .and_then(|p| p.max_packet_size)
                    .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)),
                problem_info: properties.and_then(|p| p.request_problem_info) != Some(0),
                device,
            })
        }
        Ok(_) | Err(_) => Err(malformed),
    }
}

/// [`Limits::session_expiry_max`] as the protocol has it.
pub(crate) fn session_expiry_s_max(limits: &Limits) -> u32 {
    u32::try_from(limits.session_expiry_max.as_secs()).unwrap_or(u32::MAX)
}

/// Writes the CONNACK that lets the client in, with its session from an earlier connection or a new one, and how long
/// that is kept.
pub(crate) fn welcome(admitted: &Admitted, present: bool, expiry_s: u32, limits: &Limits, out: &mut BytesMut) {
    // MQTT 5 lets us set a keep-alive for a client without one, so that it pings before our own limit.
    let idle_s = u16::try_from(limits.idle_max.as_secs() * 2 / 3).unwrap_or(u16::MAX).max(1);
    let wildcards = u8::from(admitted.device.has_wildcards());
    let properties = ConnAckProperties {
        session_expiry_interval: Some(expiry_s),
        receive_max: Some(limits.window_frames_max),
        retain_available: Some(0),
        max_packet_size: Some(u32::try_from(limits.packet_bytes_max).unwrap_or(u32::MAX)),
        topic_alias_max: Some(0),
        wildcard_subscription_available: Some(wildcards),
        subscription_identifiers_available: Some(0),
        shared_subscription_available: Some(wildcards),
        server_keep_alive: (admitted.keep_alive == 0).then_some(idle_s),
        ..ConnAckProperties::default()
    };
    answer::connack(out, admitted.level, Code::Success, present, properties);
}

/// Reads until CONNECT is complete; refuses by first byte and length before the rest is read.
async fn read_connect<S>(wire: &mut Wire<S>, limits: &Limits) -> Result<Header, Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        if wire.input.first().is_some_and(|&first| first != CONNECT) {
            return Err(Refused::Silently(Close::Malformed));
        }
        match Header::read(&wire.input) {
            Err(_) => return Err(Refused::Silently(Close::Malformed)),
            Ok(Some(header)) if header.packet_bytes() > limits.connect_bytes_max => {
                return Err(Refused::Silently(Close::Oversize));
            }
            Ok(Some(header)) if wire.input.len() >= header.packet_bytes() => return Ok(header),
            Ok(_) => {}
        }
        match wire.read().await {
            Ok(0) | Err(_) => return Err(Refused::Silently(Close::Hangup)),
            Ok(_) => {}
        }
    }
}

/// Protocol name, level and the reserved flag, from the raw bytes: the level chooses the codec.
fn connect_level(body: &[u8]) -> Result<Level, Refused> {
    let malformed = Refused::Silently(Close::Malformed);
    if body.starts_with(b"\x00\x06MQIsdp") {
        return Err(Refused::Level { answer: Level::V4 });
    }
    let (&level, &flags) = match body.strip_prefix(b"\x00\x04MQTT") {
        Some([level, flags, ..]) => (level, flags),
        _ => return Err(malformed),
    };
    match level {
        // The reserved flag must be 0 (MQTT-3.1.2-3); the codec does not look.
        4 | 5 if flags & 1 != 0 => Err(malformed),
        4 => Ok(Level::V4),
        5 => Ok(Level::V5),
        // Bridges mark themselves with the top bit and understand the old answer.
        6..0x80 => Err(Refused::Level { answer: Level::V5 }),
        _ => Err(Refused::Level { answer: Level::V4 }),
    }
}

/// The device behind a client id, and a certificate or a login.
async fn identify(
    client_id: &str,
    login: Option<&protocol::Login>,
    names: Option<&[String]>,
    shared: &Shared,
) -> Result<Device, Why> {
    if client_id.is_empty() {
        return Err(Why::ClientIdEmpty);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if client_id.len() > CLIENT_ID_BYTES_MAX || !client_id.bytes().all(allowed) {
        return Err(Why::ClientIdInvalid);
    }
    // The codec makes an absent name or password an empty one.
    let user = login.map(|l| l.username.as_str()).filter(|u| !u.is_empty());
    let password = login.map(|l| l.password.as_bytes()).filter(|p| !p.is_empty());
    let credentials = match names {
        Some(names) if !names.iter().any(|name| name == client_id) => return Err(Why::Certificate),
        Some(_) if user.is_some_and(|user| user != client_id) => return Err(Why::Certificate),
        Some(_) => Credentials::Certificate,
        None => Credentials::Login { user, password },
    };
    let mut device = match shared.directory.authenticate(client_id, credentials).map_err(Why::Credentials)? {
        Proof::Given(device) => device,
        // Nobody's hash is computed for a login that is refused anyway.
        Proof::Costly(_) if names.is_none() && user != Some(client_id) => return Err(Why::Identity),
        Proof::Costly(proof) => shared.verifier.prove(client_id, proof).await.map_err(|unproven| match unproven {
            Unproven::Busy => Why::Busy,
            Unproven::Refused(refusal) => Why::Credentials(refusal),
        })?,
    };
    if *device.name != *client_id || (names.is_none() && user != Some(client_id)) {
        return Err(Why::Identity);
    }
    // A topic that is too long to be looked at is nobody's.
    let usable = |topic: &Filter| topic.as_str().len() <= shared.limits.topic_bytes_max;
    device.publish.retain(usable);
    device.command = device.command.filter(usable);
    device.subscribe.retain(usable);
    device.subscribe.truncate(SUBSCRIPTIONS_MAX - 1);
    Ok(device)
}

/// The will, if it is the device's own to declare, and its Will Delay Interval.
fn checked_will(
    will: LastWill,
    properties: Option<&LastWillProperties>,
    level: Level,
    device: &Device,
    topic_bytes_max: usize,
) -> Result<(Will, Duration), Why> {
    let topic = device.may_publish(&will.topic, topic_bytes_max).ok_or(Why::WillTopic)?;
    if will.retain {
        return Err(Why::WillRetain);
    }
    let delay_s = properties.and_then(|p| p.delay_interval).unwrap_or(0);
    let declared = Will {
        device: Arc::clone(&device.name),
        topic,
        // Not a slice of CONNECT, which holds a password too.
        payload: Bytes::copy_from_slice(&will.message),
        qos: will.qos as u8,
        level: level.number(),
    };
    Ok((declared, Duration::from_secs(delay_s.into())))
}
