//! The vocabulary of Weir: what a frame becomes, and the words everything else speaks.
//!
//! **In:** values that were already verified elsewhere. **Out:** [`Record`]s with canonical bytes, and the
//! [`merkle`] tree over those bytes.
//!
//! ```text
//! codec text ───► CodecText { id, text } ───────┐  (before the first frame that it decodes)
//! sensor bytes ─► Frame { link, raw, readings, codec } ─► Record { stamp, body } ─► canonical CBOR ─► Merkle leaf
//!                 Rejected { link, raw, why } ──┤                                   (what is stored)  (what is signed)
//! a stored frame, another codec ─► Redecoded { of, readings, codec } ┘  (the frame itself stays)
//! the kernel's word about its clock ─► ClockSet { source, step } ─► corrects the stamps of that boot before it
//! records that had to go, or were damaged ─► Gap { why, ranges } ─► their numbers stay explained
//! a technician's or a platform's order ─► Audit { by, act, reason } ─► and only then it is carried out
//! an authority's word about an outfall ─► Outfall { dossier | devices } ─► what stood where, under whose limits
//! a person's word about an outfall ─► Manual { sample | patrol } ─► beside what devices measured, never among it
//! good readings of a time of the clock ─► Aggregate { window, values } ─► for whoever wants no single readings
//! ```
//! A [`Link`] says how a frame came: MQTT, LoRaWAN with every gateway that heard it, a serial module, ChirpStack, a
//! join-request.
//!
//! **Deliberately does not know:** where records are kept (`journal`), how they travel (`batch`), who may
//! send (`ingest`), what a limit means (`rules`). It reads no clock, randomness, environment, file or socket.
//!
//! Invariants carried by types here: **J1/J2** need a byte-exact canonical form ([`Record::to_canonical`]),
//! **T1** needs a [`ClockQuality`] that nobody can forget, because a [`Stamp`] cannot be built without one; what a stamp
//! did not know, a [`TimeLine`] of its boot may.
//!
//! Standards: RFC 8949 §4.2 (deterministic CBOR), RFC 9162 §2.1 (Merkle tree), UCUM and RFC 8428/8798 (units),
//! ISA-18.2 (alarm states), HJ 212-2017 table 4 and appendix D.1 (aggregates), HJ 1312-2023 (classes of outfalls), GB 32100-2015 (credit codes), GB 3838-2002 (classes of water).

mod aggregate;
mod alarm;
mod audit;
mod clock_set;
mod codec;
mod config_file;
mod decimal;
pub mod dossier;
mod elapsed;
mod frame;
mod gap;
pub mod invariant;
mod link;
mod manual;
pub mod merkle;
mod outfall;
mod period;
mod quality;
mod quantity;
mod ranges;
mod reading;
mod record;
mod relay;
mod source;
mod stamp;
mod text;
mod time_line;
mod unit;

pub use aggregate::{Aggregate, AggregateValue, Statistics};
pub use alarm::{
    AlarmState, AlarmTransition, Grounds, LimitSide, Measure, Priority, RuleId, RuleIdError, Suppression, Tier,
};
pub use audit::{Act, Actor, Audit, Configuring, Notification, SampleStep, Settlement, TestPort};
pub use clock_set::{ClockSet, ClockSource};
pub use codec::{CodecId, CodecText, Redecoded};
pub use config_file::ConfigFile;
pub use decimal::{Decimal, DecimalError};
pub use dossier::{Dossier, OutfallCode, OutfallCodeError};
pub use elapsed::elapsed_ms;
pub use frame::{Frame, Reason, Rejected, TextValue};
pub use gap::{Gap, GapReason};
pub use link::{EndDeviceEui, GatewayEui, Link, Reception, Seal};
pub use manual::{AttachedFile, Detection, Entry, Manual, ManualSample, ManualValue, Patrol, PatrolState, Replaced};
pub use outfall::{DossierVersion, Outfall, Standing, Told};
pub use period::{Period, PeriodError};
pub use quality::Quality;
pub use quantity::{Quantity, QuantityError};
pub use ranges::{SeqRange, SeqRanges};
pub use reading::Reading;
pub use record::{Body, Boot, CanonicalError, Kind, Record, RecordAt, Seq};
pub use relay::{RelayId, RelayIdError};
pub use source::{SourceId, SourceIdError};
pub use stamp::{BUILD_FLOOR, BootNo, ClockQuality, MonoMs, Stamp, UnixMs};
pub use time_line::{DRIFT_PPM, SYNCHRONISED_ERROR_MS, TimeLine, TrueTime, drift_ms};
pub use unit::{Unit, UnitError};
