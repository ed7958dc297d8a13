//! What a platform orders of a box, in a receipt's company.

use minicbor::decode::{self, Error};
use minicbor::{Decode, Decoder, Encode};
use record::merkle::Hash;
use record::{Audit, ConfigFile, RelayId, SeqRanges, SourceId, UnixMs};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Artifact, BoxId, OpenError, PlatformId, PublicKey, SigningKey, payload};

/// Most bytes of a signed command: what an [`Audit`] takes of one.
pub const COMMAND_BYTES_MAX: usize = Audit::COMMAND_BYTES_MAX;

/// A command. Its bytes stand in the box's journal for ever, carried out or refused.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Command {
    /// Who orders.
    #[n(0)]
    pub platform: PlatformId,
    /// Of whom.
    #[n(1)]
    pub box_id: BoxId,
    /// A box obeys a platform's commands by ascending numbers, each once; the time in milliseconds is a good one.
    #[n(2)]
    pub number: u64,
    /// When it was ordered, by the platform's clock.
    #[n(3)]
    pub issued_ms: UnixMs,
    /// It is refused after this time, by a box that knows what time it is.
    #[n(4)]
    pub until_ms: UnixMs,
    /// What.
    #[n(5)]
    #[serde(flatten)]
    pub order: Order,
    /// Why, in the platform's words: at most [`Audit::TEXT_BYTES_MAX`].
    #[n(6)]
    #[cbor(decode_with = "bounded")]
    pub reason: String,
}

/// What a platform may order. Which of it a box obeys, its own configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Order {
    /// Send these records once more, as far as they are still there and its filter lets them through.
    #[n(0)]
    Resend {
        /// The records; numbers that the box does not have yet are no fault.
        #[n(0)]
        records: SeqRanges,
    },
    /// A device is to measure so often.
    #[n(1)]
    Sampling {
        /// The device.
        #[n(0)]
        device: SourceId,
        /// Seconds from one measurement to the next.
        #[n(1)]
        period_s: u32,
    },
    /// These rules take the place of those in force, on trial.
    #[n(2)]
    Rules {
        /// The text of `rules.toml`.
        #[n(0)]
        toml: String,
    },
    /// These configuration files take the place of the box's own, all of them together, on trial.
    #[n(3)]
    Configuration {
        /// At most one of each; which of them a box takes, it says itself.
        #[n(0)]
        files: Vec<OrderedFile>,
    },
    /// A sampler is to retain a sample now, within the limits that hold for everybody: cool-down, bottles, one at a time.
    #[n(4)]
    RetainedSample {
        /// The sampler.
        #[n(0)]
        sampler: RelayId,
    },
}

/// A configuration file as a platform orders it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct OrderedFile {
    /// Which.
    #[n(0)]
    pub file: ConfigFile,
    /// Its whole text.
    #[n(1)]
    pub toml: String,
}

impl Order {
    /// The stable name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Order::Resend { .. } => "resend",
            Order::Sampling { .. } => "sampling",
            Order::Rules { .. } => "rules",
            Order::Configuration { .. } => "configuration",
            Order::RetainedSample { .. } => "retained_sample",
        }
    }
}

impl Command {
    /// The signed bytes; the same for the same command and key.
    ///
    /// # Errors
    /// [`CommandTooLarge`].
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, CommandTooLarge> {
        let bytes = crate::envelope::sign(Artifact::Command, payload::encode(self), key);
        if bytes.len() > COMMAND_BYTES_MAX || self.reason.len() > Audit::TEXT_BYTES_MAX {
            return Err(CommandTooLarge { bytes: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads and believes a command. Whether it is for this box, new, in time and allowed is for the caller to compare.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, not signed by `key`, or not in its one form.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Command, OpenError> {
        let payload = crate::envelope::open(Artifact::Command, bytes, |kid| (kid == key.id()).then_some(*key))?;
        payload::decode(Artifact::Command, &payload)
    }

    /// SHA-256 over the signed bytes: the name by which both ends speak of it.
    pub fn digest(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// What a command says, whoever signed it: for showing it, never for obeying it.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact or not in its one form.
    pub fn claimed(bytes: &[u8]) -> Result<Command, OpenError> {
        payload::decode(Artifact::Command, &crate::envelope::outline(Artifact::Command, bytes)?.payload)
    }
}

/// A command that a platform signed, with an order that this version does not know: of a newer platform, or for another kind
/// of box. It is never obeyed; what can be read of it is there to refuse it by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCommand {
    /// Of whom.
    pub box_id: BoxId,
    /// As of any command.
    pub number: u64,
    /// The number by which its order goes.
    pub kind: u64,
    /// Why, in the platform's words.
    pub reason: String,
}

impl UnknownCommand {
    /// Reads and believes as much of it as every command has.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, not signed by `key`, or has another form.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<UnknownCommand, OpenError> {
        let artifact = Artifact::Command;
        let payload = crate::envelope::open(artifact, bytes, |kid| (kid == key.id()).then_some(*key))?;
        let read = |decoder: &mut Decoder<'_>| -> Result<UnknownCommand, Error> {
            if decoder.array()? != Some(7) {
                return Err(Error::message("a command has 7 parts"));
            }
            decoder.skip()?;
            let (box_id, number) = (decoder.decode()?, decoder.u64()?);
            decoder.skip()?;
            decoder.skip()?;
            if decoder.array()? != Some(2) {
                return Err(Error::message("an order is [kind, what]"));
            }
            let kind = decoder.u64()?;
            decoder.skip()?;
            let reason = bounded(decoder, &mut ())?;
            let end = decoder.position() == decoder.input().len();
            end.then_some(UnknownCommand { box_id, number, kind, reason })
                .ok_or(Error::message("it has more behind it"))
        };
        read(&mut payload::body(artifact, &payload)?).map_err(|source| OpenError::Payload { artifact, source })
    }
}

/// A command has more in it than a box takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a command has at most {COMMAND_BYTES_MAX} bytes and a reason of {}, this one has {bytes} · try: fewer rules, one file \
     at a time, or a shorter reason",
    Audit::TEXT_BYTES_MAX
)]
pub struct CommandTooLarge {
    /// What it would have.
    pub bytes: usize,
}

fn bounded<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<String, decode::Error> {
    let text = d.str()?;
    if text.len() > Audit::TEXT_BYTES_MAX {
        return Err(Error::message("a reason has at most 1000 bytes"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{Seq, SeqRange};

    fn command(order: Order) -> Command {
        Command {
            platform: PlatformId::new("city").unwrap(),
            box_id: BoxId::new("outfall-1").unwrap(),
            number: 7,
            issued_ms: UnixMs(5),
            until_ms: UnixMs(9),
            order,
            reason: "restored from a backup".into(),
        }
    }

    #[test]
    fn what_the_platform_signed_is_read_and_nothing_else() {
        let key = SigningKey::from_seed(&[1; 32]);
        let records = [SeqRange { first: Seq(3), last: Seq(5) }].into_iter().collect();
        let orders = [
            Order::Resend { records },
            Order::Sampling { device: SourceId::new("cod-1").unwrap(), period_s: 60 },
            Order::Rules { toml: "[[rule]]".into() },
            Order::Configuration {
                files: vec![
                    OrderedFile { file: ConfigFile::Gateway, toml: "box = \"outfall-1\"".into() },
                    OrderedFile { file: ConfigFile::Devices, toml: String::new() },
                ],
            },
            Order::RetainedSample { sampler: RelayId::new("east").unwrap() },
        ];
        for order in orders {
            let command = command(order);
            let bytes = command.sign(&key).unwrap();
            assert_eq!(Command::verify(&bytes, &key.public()).unwrap(), command);
            assert_eq!(Command::claimed(&bytes).unwrap(), command);
            let other = SigningKey::from_seed(&[2; 32]).public();
            assert!(matches!(Command::verify(&bytes, &other), Err(OpenError::UnknownKey { .. })));
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                assert!(Command::verify(&flipped, &key.public()).is_err(), "byte {at}");
            }
        }
    }

    /// What a platform may send that knows an order which this version does not: to close a gate.
    fn closing_a_gate(number: u64, key: &SigningKey) -> Vec<u8> {
        let mut bytes = payload::encode(&Command { number, ..command(Order::Rules { toml: "gate".into() }) });
        // [2, ["gate"]] becomes [9, ["gate"]].
        let order = [0x82, 0x02, 0x81, 0x64, b'g', b'a', b't', b'e'];
        let at = bytes.windows(order.len()).position(|window| window == order).unwrap();
        bytes[at + 1] = 9;
        crate::envelope::sign(Artifact::Command, bytes, key)
    }

    #[test]
    fn an_order_that_nobody_knows_is_read_as_far_as_it_can_be_named_and_no_further() {
        let key = SigningKey::from_seed(&[1; 32]);
        let bytes = closing_a_gate(7, &key);
        assert!(matches!(Command::verify(&bytes, &key.public()), Err(OpenError::Payload { .. })));
        let unknown = UnknownCommand::verify(&bytes, &key.public()).unwrap();
        let expected = (BoxId::new("outfall-1").unwrap(), 7, 9, "restored from a backup".to_owned());
        assert_eq!((unknown.box_id, unknown.number, unknown.kind, unknown.reason), expected);
        let other = SigningKey::from_seed(&[2; 32]).public();
        assert!(matches!(UnknownCommand::verify(&bytes, &other), Err(OpenError::UnknownKey { .. })));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(UnknownCommand::verify(&flipped, &key.public()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn one_that_no_journal_takes_is_not_signed() {
        let key = SigningKey::from_seed(&[1; 32]);
        let check = |toml: usize, reason: usize, taken: bool| {
            let mut command = command(Order::Rules { toml: "x".repeat(toml) });
            command.reason = "x".repeat(reason);
            assert_eq!(command.sign(&key).is_ok(), taken, "{toml} {reason}");
        };
        check(32_000, 10, true);
        check(COMMAND_BYTES_MAX, 10, false);
        check(10, Audit::TEXT_BYTES_MAX, true);
        check(10, Audit::TEXT_BYTES_MAX + 1, false);
    }
}
