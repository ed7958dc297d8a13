//! Why a configuration is refused.

use std::net::SocketAddr;
use std::path::PathBuf;

use layers::{Fault, LayersError, Spot};
use rules::{FILES_MAX, RulesFileError};

use super::files::FILE_BYTES_MAX;

/// Why the configuration is refused. Each names the file; the source names line and key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is not there or cannot be read.
    #[error("failed to read configuration `{path}` · try: ls -l {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is larger than any configuration.
    #[error("configuration `{path}` has more than {FILE_BYTES_MAX} bytes: is it the right file?")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("configuration `{path}` is refused · try: correct the line below, then weir config check {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, key and cause.
        source: Box<Fault>,
    },
    /// A number outside its range.
    #[error("configuration {at}: `{key}` is {value}, set it from {low} to {high}")]
    Range {
        /// Where.
        at: Spot,
        /// The key.
        key: &'static str,
        /// What was typed.
        value: u64,
        /// The least.
        low: u64,
        /// The most.
        high: u64,
    },
    /// GWMP beyond loopback without both allow-lists.
    #[error(
        "configuration {at}: `gwmp.listen` is {listen}, reachable by others, and GWMP has no authentication \
         · try: list your gateways' EUIs in `gwmp.gateways` and their networks in `gwmp.networks`, or listen on 127.0.0.1"
    )]
    OpenGwmp {
        /// Where.
        at: Spot,
        /// What was typed.
        listen: SocketAddr,
    },
    /// A serial port without a usable name, or two with one name or path.
    #[error(
        "configuration {at}: `[[serial]]` {name:?} · try: give each port a name of its own (1 to 64 of \
         A-Z a-z 0-9 _ . -) and a path of its own"
    )]
    SerialPort {
        /// Where.
        at: Spot,
        /// The port.
        name: String,
    },
    /// A relay that cannot be what it says.
    #[error("configuration {at}: `[[relay]]` {name}: {why} · try: correct it, then weir config check")]
    Relay {
        /// Where.
        at: Spot,
        /// The relay.
        name: record::RelayId,
        /// What is wrong with it.
        why: String,
    },
    /// A rule that has samples retained by what is no sampler.
    #[error(
        "rule `{rule}`: there is no `[[relay]]` {sampler} with use = \"sampler\" in `{path}` · try: add it there, or correct \
         `sample` of the rule"
    )]
    NoSampler {
        /// gateway.toml.
        path: PathBuf,
        /// The rule.
        rule: record::RuleId,
        /// What it names.
        sampler: record::RelayId,
    },
    /// An application id that is no level of a topic.
    #[error(
        "configuration {at}: `chirpstack.application_id` is {application_id:?}, write 1 to 64 of A-Z a-z 0-9 _ . -"
    )]
    ApplicationId {
        /// Where.
        at: Spot,
        /// What was typed.
        application_id: String,
    },
    /// A device that could speak as a ChirpStack.
    #[error(
        "device `{device}`: its topic `{topic}` is one of [chirpstack] in `{path}`, whose events are believed · try: \
         another topic for the device"
    )]
    EventTopic {
        /// gateway.toml.
        path: PathBuf,
        /// The device.
        device: record::SourceId,
        /// Its topic.
        topic: String,
    },
    /// The folder of drop-ins.
    #[error(transparent)]
    DropIns(LayersError),
    /// `devices.toml`.
    #[error("device table `{path}` is refused")]
    Devices {
        /// The file.
        path: PathBuf,
        /// Line, key and cause.
        source: ingest::DevicesError,
    },
    /// `keys.toml`.
    #[error("device keys `{path}` are refused")]
    Keys {
        /// The file.
        path: PathBuf,
        /// Line, key and cause.
        source: ingest::KeysError,
    },
    /// Others than its owner can read `keys.toml`.
    #[error(
        "device keys `{path}` can be read by others (mode {mode:04o}) · try: chmod 600 {path}, and replace the keys if \
         a stranger may have read them"
    )]
    ExposedKeys {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// `rules.toml`, or a file of `rules.d`.
    #[error(transparent)]
    Rules(RulesFileError),
    /// A folder with more than one rule set has.
    #[error("folder `{path}` has {count} files of rules or more, and {FILES_MAX} are the most · try: join some")]
    TooManyRulesFiles {
        /// The folder.
        path: PathBuf,
        /// How many there are, or were counted.
        count: usize,
    },
    /// A name that cannot be shown everywhere as it is.
    #[error(
        "folder `{path}`: rules are not read from a file called {name:?} · try: a name of A-Z a-z 0-9 _ . - for it"
    )]
    RulesFileName {
        /// The folder.
        path: PathBuf,
        /// The file.
        name: String,
    },
}
