//! `weir device`, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::qr_code::QrCode;
use crate::cli::Output;

/// The device verbs.
#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Where gateway.toml is; it names the device table and the keys.
    #[arg(long, global = true, env = "WEIR_CONFIG_DIR", default_value = "/etc/weir", value_name = "DIR")]
    pub(crate) config_dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What can be done with devices.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Every device of the table, and how it is if the gateway runs.
    List(Output),
    /// One device: its section without its keys, counters, radio, last readings.
    Show {
        /// Its name.
        name: String,
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// Add a device. It is checked with the whole table before anything is written.
    // Its `--version` is that of LoRaWAN.
    #[command(disable_version_flag = true)]
    Add(Box<AddArgs>),
    /// Add the devices of a CSV file: all of them, or none.
    Import {
        /// With a heading line; the columns are those of `weir device import --help`.
        ///
        /// name, link (mqtt|lorawan|serial|chirpstack), codec (file, or =NAME for that of another device), and what the link needs:
        /// topic, password · version, class, dev_eui, join_eui, app_key, nwk_key · dev_addr, nwk_s_key, app_s_key ·
        /// id, mac_key · dev_eui. Empty cells are left out.
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
    },
    /// Decode a payload with a device's codec, without the gateway: what would be stored?
    Test {
        /// The device.
        name: String,
        /// The payload as hex digits, or @FILE for the bytes of a file.
        payload: String,
        /// LoRaWAN FPort.
        #[arg(long = "fport", value_name = "N")]
        f_port: Option<u8>,
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// Run a JavaScript codec (TS013) on a payload. Whatever it does, this ends within 1 s and 100 MB, and says why.
    TestCodec(CodecArgs),
    /// What test-codec starts: runs the codec behind limits that the kernel holds.
    #[command(hide = true)]
    RunCodec {
        /// The process that waits for it: this ends with that one.
        #[arg(long, value_name = "PROCESS")]
        within: u32,
        /// What it was asked.
        #[command(flatten)]
        codec: CodecArgs,
    },
    /// Refuse a device from the next start on; its section and its records stay.
    Disable {
        /// Its name.
        name: String,
    },
    /// Take a disabled device in again.
    Enable {
        /// Its name.
        name: String,
    },
    /// Take a device and its keys out of the table; its records stay in the journal.
    Remove {
        /// Its name.
        name: String,
    },
    /// Who sends and is not in the table: addresses, joins, foreign networks, and what to do.
    Strangers(Output),
    /// Forget a device's used DevNonces, so that one that was reset to its factory state can join again.
    FlushNonces {
        /// Its name.
        name: String,
    },
    /// Forget a device's frame counter, so that one that lost it, or jumped to its end, is heard again.
    ///
    /// For devices that seal their frames and LoRaWAN devices without a join (ABP). Whoever recorded the device's frames
    /// can send each of them once more afterwards: where that matters, give the device new keys instead.
    ResetCounter {
        /// Its name.
        name: String,
    },
    /// Sessions, nonces and counters of all LoRaWAN devices, encrypted, to move to another box.
    ExportSessions {
        /// The file to make.
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
        /// A file with the passphrase (12 bytes or more); without it, standard input.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Take over sessions of another box; counters jump ahead, so no device has to join again.
    ImportSessions {
        /// What export-sessions made.
        file: PathBuf,
        /// A file with the passphrase; without it, standard input.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Decode stored frames of a device anew with its codec of now; the results are new records beside the old ones.
    Redecode {
        /// Its name.
        name: String,
        /// From this record on.
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        from: u64,
        /// Up to this record; without it, the newest.
        #[arg(long, value_name = "SEQ")]
        to: Option<u64>,
    },
    /// Have a device measure so often, as [device.sampling] of devices.toml says how: kept until it is delivered.
    Sample {
        /// Its name.
        name: String,
        /// Seconds from one measurement to the next.
        #[arg(value_name = "SECONDS")]
        period_s: u32,
    },
    /// Send a device a command: kept until it is delivered, also over a restart.
    Send {
        /// Its name.
        name: String,
        /// The payload as hex digits, or text:... for text.
        payload: String,
        /// LoRaWAN FPort, 1 to 223, also through a ChirpStack.
        #[arg(long = "fport", value_name = "N")]
        f_port: Option<u8>,
        /// LoRaWAN: ask the device for an acknowledgement.
        #[arg(long)]
        confirmed: bool,
    },
}

/// `weir device test-codec`
#[derive(Debug, Args)]
pub(crate) struct CodecArgs {
    /// The codec's file.
    pub(crate) file: PathBuf,
    /// The payload as hex digits.
    pub(crate) hex: String,
    /// LoRaWAN FPort.
    #[arg(long = "fport", value_name = "N", default_value_t = 1)]
    pub(crate) f_port: u8,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a device sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinkKind {
    /// An MQTT client.
    Mqtt,
    /// A LoRaWAN device.
    Lorawan,
    /// A transparent LoRa module on a serial port.
    Serial,
    /// A LoRaWAN device that a ChirpStack beside the box serves.
    Chirpstack,
}

/// `weir device add`
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its name: 1 to 64 of A-Z a-z 0-9 _ . -
    pub(crate) name: String,
    /// How it sends.
    #[arg(long, value_enum)]
    pub(crate) link: LinkKind,
    /// A TOML file with what stands under [device.codec], =NAME for the codec of another device, or the name of one that ships,
    /// as senml_json, cayenne_lpp or dragino-ldds75.
    #[arg(long, value_name = "FILE")]
    pub(crate) codec: String,
    /// TOML lines with its keys (app_key = "…"), or - for standard input. Keys are never given as arguments, where
    /// every user of the machine could read them. An MQTT device without keys gets a new password, printed once.
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<String>,
    /// The QR code of a LoRaWAN device (LW:D0:…): gives DevEUI and JoinEUI.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["dev_eui", "join_eui", "dev_addr"])]
    pub(crate) qr: Option<QrCode>,
    /// LoRaWAN, joining over the air; or a device of a ChirpStack.
    #[arg(long, value_name = "HEX", conflicts_with = "dev_addr")]
    pub(crate) dev_eui: Option<String>,
    /// LoRaWAN JoinEUI (AppEUI).
    #[arg(long, value_name = "HEX", requires = "dev_eui")]
    pub(crate) join_eui: Option<String>,
    /// LoRaWAN, activated by personalisation.
    #[arg(long, value_name = "HEX")]
    pub(crate) dev_addr: Option<String>,
    /// LoRaWAN version: 1.0.2, 1.0.3, 1.0.4 or 1.1.
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// LoRaWAN class: A or C.
    #[arg(long)]
    pub(crate) class: Option<String>,
    /// LoRaWAN adaptive data rate.
    #[arg(long)]
    pub(crate) adr: bool,
    /// MQTT topic; without it d/NAME/up.
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Serial: the id that the device's frames carry.
    #[arg(long, value_name = "N")]
    pub(crate) id: Option<u16>,
}
