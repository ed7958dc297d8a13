//! The command line, as typed.

use std::path::PathBuf;

use batch::{PlatformId, PublicKey};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::alarm::AlarmCommand;
use crate::bundle::BundleArgs;
use crate::configuration::ConfigArgs;
use crate::demo::DemoArgs;
use crate::device::DeviceArgs;
use crate::doctor::DoctorArgs;
use crate::evidence::EvidenceCommand;
use crate::lang::Lang;
use crate::login::LoginArgs;
use crate::manual::{ManualCommand, PatrolCommand};
use crate::metrics::MetricsArgs;
use crate::notify::NotifyCommand;
use crate::order::{OrderArgs, OrdersArgs};
use crate::outfall::OutfallCommand;
use crate::rules::RulesCommand;
use crate::sampler::SamplerCommand;
use crate::self_test::SelfTestArgs;
use crate::setup::SetupArgs;
use crate::upgrade::UpgradeArgs;

/// Weir keeps what outfall sensors say, judges it, and delivers it signed to the platforms.
///
/// Without a command it shows this box on the whole screen, or prints its status where there is no terminal. 入河排污口边缘网关：接收、验证、保存、研判并签名上传监测数据。
#[derive(Debug, Parser)]
#[command(name = "weir", version, propagate_version = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Where this box keeps its journal, outbox and identity.
    #[arg(long, global = true, env = "WEIR_STATE_DIR", default_value = "/var/lib/weir", value_name = "DIR")]
    pub(crate) state_dir: PathBuf,
    /// Where the daemons' control sockets are.
    #[arg(long, global = true, env = "WEIR_RUN_DIR", default_value = "/run/weir", value_name = "DIR")]
    pub(crate) run_dir: PathBuf,
    /// Language of what people read; without it, LANG decides.
    #[arg(long, global = true, value_enum)]
    pub(crate) lang: Option<Lang>,
}

impl Command {
    /// Whether it is a service that runs until it is stopped, and not a verb that answers a person.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(
            self,
            Command::Gateway(Daemon::Run { .. })
                | Command::Sync(SyncCommand::Run { .. })
                | Command::Platform(PlatformCommand::Run { .. })
                | Command::Page(PageCommand::Run { .. })
        )
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The field daemon: sensors in, journal, rules, acknowledgements.
    #[command(subcommand)]
    Gateway(Daemon),
    /// The upload daemon: journal out, receipts in; and what a platform refused.
    #[command(subcommand)]
    Sync(SyncCommand),
    /// The reference platform, and codes that let boxes in.
    #[command(subcommand)]
    Platform(PlatformCommand),
    /// From the installed package to the first receipt: by questions, or by one file of answers for many boxes.
    ///
    /// It looks itself at what is done already: after a power cut the same command goes on, and a finished box stays as it is.
    Setup(SetupArgs),
    /// The read-only page for whoever stands at the outfall: state, charts, alarms, dossiers, receipts.
    #[command(subcommand)]
    Page(PageCommand),
    /// How this box is: devices, alarms, journal, platforms.
    Status(Output),
    /// The same as numbers, in the text format of Prometheus.
    ///
    /// `--list` says what each is. A timer that runs `weir metrics --to FILE` serves a node exporter's text files.
    Metrics(MetricsArgs),
    /// What is not well, from the power supply to the platforms, with its cause and the command that mends it.
    ///
    /// It needs no daemon and no rights: what could not be seen is said. It ends within 3 seconds, whatever the network does.
    Doctor(DoctorArgs),
    /// One small file for whoever helps from afar: findings, statuses, configuration, logs. Secrets are cut out; the box signs it.
    ///
    /// It has at most 200 kB and no key. Phone numbers, passwords, tokens and codes are cut out wherever they stand, and it says
    /// how many.
    Bundle(BundleArgs),
    /// Send a test frame as sensors send theirs, and follow it into the journal and to the receipt of every platform.
    ///
    /// It is journaled in your name and marked as a test wherever it appears: it is no reading, and no rule, mean or count has it.
    SelfTest(SelfTestArgs),
    /// The newest records, and with --follow those to come.
    Tail(TailArgs),
    /// Readings as CSV or JSON Lines; with --journal, the records themselves with their proofs.
    Export(ExportArgs),
    /// What was recorded in some hours, with all that proves it, as one file for inspectors and courts.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Whether the journal, its signed tree heads and the receipts hold, or what an exported journal or evidence file proves.
    Verify(VerifyArgs),
    /// Copy the journal into a folder while the gateway runs: to a stick, or another machine's mount.
    Backup {
        /// The folder. What is there already is not copied again.
        #[arg(value_name = "DIR")]
        to: PathBuf,
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// Put a backup back where there is no journal, after verifying every byte. Numbers and device counters jump ahead.
    Restore {
        /// The folder of the backup.
        #[arg(value_name = "DIR")]
        from: PathBuf,
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// What is stored, and whether it is whole.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// The public key by which platforms know this box; and how they come to know it.
    Identity(IdentityArgs),
    /// The configuration: whether it is accepted, which versions there were, and changing it so that it can be taken back.
    Config(ConfigArgs),
    /// What became of the last upgrade: whether the new version has proved itself, or the former one is back.
    ///
    /// Without more it says so. A new version is on trial until it works; how long, /etc/weir/upgrade.toml says.
    Upgrade(UpgradeArgs),
    /// The alarms that stand, and saying that somebody has seen one.
    #[command(subcommand)]
    Alarm(AlarmCommand),
    /// Who is told of alarms, and who was; trying whether a message arrives.
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// The samplers, lights and sirens that alarms switch; a sample by hand, bottles put in.
    #[command(subcommand)]
    Sampler(SamplerCommand),
    /// The outfalls: one dossier each (一口一档), with every version that it had.
    #[command(subcommand)]
    Outfall(OutfallCommand),
    /// Samples that a laboratory analysed (手工监测), entered by hand: beside what devices measure, never among it.
    #[command(subcommand)]
    Manual(ManualCommand),
    /// Patrols to outfalls (巡查), entered by hand.
    #[command(subcommand)]
    Patrol(PatrolCommand),
    /// Try rules before they are trusted: tests, the journal played again, what stands behind an alarm.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// The devices: the table, the keys, the radio sessions.
    Device(DeviceArgs),
    /// The main job, end to end, in a folder of its own: two platforms, both daemons, sensors, faults, a table.
    Demo(DemoArgs),
    /// What sshd runs in the place of a shell for a technician's account: these verbs, and nothing else of the machine.
    ///
    /// It stands in sshd's configuration, as ForceCommand; sshd-technicians.conf among the package's examples has the whole of it. With
    /// a command it does that, without one it asks at a prompt, and `help` there tells what there is. Files come and go by `ssh HOST
    /// put NAME < FILE` and `ssh HOST get NAME > FILE`.
    Login(LoginArgs),
    /// Write the man pages and the completions of shells; whoever makes a package of this program calls it.
    #[command(hide = true)]
    ManPages {
        /// The folder.
        #[arg(value_name = "DIR")]
        to: PathBuf,
    },
}

/// What a daemon can be told.
#[derive(Debug, Subcommand)]
pub(crate) enum Daemon {
    /// Run in the foreground until SIGTERM or SIGINT.
    Run {
        /// Its configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// What the page can be told.
#[derive(Debug, Subcommand)]
pub(crate) enum PageCommand {
    /// Run in the foreground until SIGTERM or SIGINT. It writes nothing, and orders nothing of a daemon.
    Run {
        /// Its configuration file.
        #[arg(long, value_name = "FILE", default_value = "/etc/weir/page.toml")]
        config: PathBuf,
    },
}

/// What the reference platform can be told.
#[derive(Debug, Subcommand)]
pub(crate) enum PlatformCommand {
    /// Run in the foreground until SIGTERM or SIGINT.
    Run {
        /// Its configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make a code that lets one box in, once, while the platform runs. A box that was let in before gets another key by it.
    Invite(InviteArgs),
    /// Order something of a box; it goes with the box's next receipt, signed. The box obeys what its gateway.toml allows.
    Order(Box<OrderArgs>),
    /// What was ordered of a box, and what became of it.
    Orders(OrdersArgs),
    /// Take nothing more that this key of a box signs, from now on, and keep what was received; the signed word of it goes to
    /// a file for `weir verify --revoked`.
    Revoke(Box<RevokeArgs>),
    /// Make the platform a new key, which the old one signs for; it signs receipts from the platform's next start on. Boxes learn it
    /// by that, and nobody has to tell them.
    Rotate(PlatformRotateArgs),
    /// Whether another platform was shown the same history of a box as this one, by its cosigned checkpoint.
    Compare(Box<CompareArgs>),
}

/// `weir platform compare`
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The other platform's note: a file, or its URL, `https://…/v1/boxes/BOX/checkpoint`, where older ones are asked for as well.
    #[arg(value_name = "NOTE|URL")]
    pub(crate) note: String,
    /// The other platform and its public key; the connection to it need not be trusted.
    #[arg(long, value_name = "NAME=HEX", value_parser = platform_key)]
    pub(crate) with: (PlatformId, PublicKey),
    /// This platform's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir platform invite`
#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// The box's name.
    #[arg(value_name = "BOX")]
    pub(crate) box_id: String,
    /// The platform's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// How long the code is good.
    #[arg(long, default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=i64::from(platform::INVITATION_HOURS_MAX)))]
    pub(crate) hours: u32,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir platform rotate`
#[derive(Debug, Args)]
pub(crate) struct PlatformRotateArgs {
    /// Why; it is signed, and boxes journal it.
    #[arg(long)]
    pub(crate) reason: String,
    /// The platform's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir platform revoke`
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The box's name.
    #[arg(value_name = "BOX")]
    pub(crate) box_id: String,
    /// The key, 64 hex digits: `/v1/boxes/BOX/keys` of the platform has those that were known.
    #[arg(value_name = "KEY")]
    pub(crate) key: PublicKey,
    /// When the key may have come into other hands, `2026-11-01T00:00:00Z`: what it signed from then on proves nothing. Without
    /// it, now.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<jiff::Timestamp>,
    /// Why; it is signed, and shown to whoever uses the key.
    #[arg(long)]
    pub(crate) reason: String,
    /// The platform's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Where the signed word goes; without it, it is printed as hex.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir identity`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct IdentityArgs {
    #[command(subcommand)]
    pub(crate) command: Option<IdentityCommand>,
    /// How the key is printed.
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What can be done with the box's identity.
#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Believe a platform of sync.toml that was set up by hand: what it commands is signed by this key. Journaled.
    Pin(PinArgs),
    /// Introduce this box to a platform by the code that its operator made, and write whom to trust there to sync.toml.
    Enroll(EnrollArgs),
    /// Make the box a new key, which the old one signs for: platforms and evidence go on without a gap, and nobody has to be
    /// told. The old private key is gone then. `weir identity` shows which keys there were.
    Rotate(RotateArgs),
}

/// `weir identity rotate`
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Why; it is signed and journaled, and platforms see it.
    #[arg(long)]
    pub(crate) reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir identity pin`
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// The platform, as sync.toml names it.
    pub(crate) platform: PlatformId,
    /// Its public key: 64 hex digits.
    pub(crate) key: PublicKey,
    /// Why; every platform reads it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir identity enroll`
#[derive(Debug, Args)]
pub(crate) struct EnrollArgs {
    /// Where the platform's API begins, `https://…`.
    pub(crate) url: String,
    /// The code; dashes, spaces and case do not count.
    #[arg(required = true, num_args = 1..=8)]
    pub(crate) code: Vec<String>,
    /// The file that gets the destination; the certificate is written beside it.
    #[arg(long, value_name = "FILE", default_value = "/etc/weir/sync.toml")]
    pub(crate) config: PathBuf,
    /// The destination's name here; the platform's own, unless it stands there.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// An HTTP proxy to go through.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the upload daemon does, and can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Run in the foreground until SIGTERM or SIGINT.
    Run {
        /// Its configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// What a platform refused for its content, and why. The other records of such a batch are delivered.
    Parked(Output),
    /// Send what is parked again, as when the platform was mended.
    Retry {
        /// The platform.
        platform: String,
        /// The batch, or the first digits of its name; without it everything that is parked for the platform.
        batch: Option<String>,
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// Give up a parked batch for its platform, for ever. The journal keeps its records, and tells who gave them up and why.
    Drop(DropArgs),
}

/// `weir sync drop`
#[derive(Debug, Args)]
pub(crate) struct DropArgs {
    /// The platform.
    pub(crate) platform: String,
    /// The batch, or the first digits of its name, as `weir sync parked` shows it.
    pub(crate) batch: String,
    /// Why. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir tail`
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// How many records to begin with.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub(crate) lines: u64,
    /// Go on as records are written, until interrupted.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only records of this device.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) source: Option<String>,
    /// One JSON object a line, with the exact bytes as hex.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `weir export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// csv: one reading a line under a heading. jsonl: the same as objects.
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub(crate) format: ExportFormat,
    /// The same as --format jsonl.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Only this device.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) source: Option<String>,
    /// Only this quantity.
    #[arg(long)]
    pub(crate) quantity: Option<String>,
    /// From this time on, as 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<jiff::Timestamp>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<jiff::Timestamp>,
    /// What readings came to over the clock's times ([aggregates] in gateway.toml) in their place: a line for each quantity and
    /// window; --from and --to choose by when a window begins.
    #[arg(long)]
    pub(crate) aggregates: bool,
    /// The samples that people entered by hand in their place: a line for each value; --from and --to choose by when they were
    /// taken.
    #[arg(long, conflicts_with_all = ["source", "aggregates"])]
    pub(crate) manual: bool,
    /// The patrols that people entered by hand in their place; --from and --to choose by when they were.
    #[arg(long, conflicts_with_all = ["source", "quantity", "aggregates", "manual"])]
    pub(crate) patrols: bool,
    /// Every record that is signed, in its exact bytes, with the signed tree heads: a file for `weir verify FILE`.
    #[arg(long, conflicts_with_all = ["format", "json", "source", "quantity", "from", "to", "aggregates", "manual", "patrols"])]
    pub(crate) journal: bool,
    /// Into this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

impl ExportArgs {
    /// What people entered by hand, if that is wanted.
    pub(crate) fn entered(&self) -> Option<ManualKind> {
        match (self.manual, self.patrols) {
            (true, _) => Some(ManualKind::Samples),
            (false, true) => Some(ManualKind::Patrols),
            (false, false) => None,
        }
    }
}

/// What people enter by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ManualKind {
    /// `weir manual`
    Samples,
    /// `weir patrol`
    Patrols,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// `weir verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A file that `weir evidence export` or `weir export --journal` wrote, on whatever machine; without it, this box's own
    /// journal.
    #[arg(value_name = "FILE", conflicts_with = "sync_config")]
    pub(crate) file: Option<PathBuf>,
    /// The box's public key, 64 hex digits: any that it has or had, where the file has the changes between them; without it,
    /// the one that the file names.
    #[arg(long, value_name = "HEX", requires = "file")]
    pub(crate) key: Option<PublicKey>,
    /// A platform's public key, for the receipts in an evidence file; may be repeated.
    #[arg(long = "platform", value_name = "NAME=HEX", requires = "file", value_parser = platform_key)]
    pub(crate) platforms: Vec<(PlatformId, PublicKey)>,
    /// A platform's signed word that a key of the box is revoked (`weir platform revoke`, or `/v1/boxes/BOX/keys` of the platform):
    /// what that key signed afterwards proves nothing. It needs --platform of who signed it; may be repeated.
    #[arg(long = "revoked", value_name = "FILE", requires = "file")]
    pub(crate) revoked: Vec<PathBuf>,
    /// The upload daemon's configuration: it names each platform's key, without which receipts prove nothing.
    #[arg(long, value_name = "FILE", default_value = "/etc/weir/sync.toml")]
    pub(crate) sync_config: PathBuf,
    /// One JSON object instead of text for people.
    #[arg(long)]
    pub(crate) json: bool,
}

fn platform_key(text: &str) -> Result<(PlatformId, PublicKey), String> {
    let (name, key) = text.split_once('=').ok_or("it must be NAME=HEX, the platform's name and its public key")?;
    let name = PlatformId::new(name).map_err(|error| error.to_string())?;
    Ok((name, key.parse().map_err(|error: batch::PublicKeyError| error.to_string())?))
}

/// `weir journal`
#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Read everything that is stored, beside the running gateway, and hold it against its Merkle roots.
    Check {
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// Have the gateway put a damaged database aside, start anew with every record that can be read, and say what is lost.
    Salvage,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// A name that two arguments of a verb have is a panic in a debug build, and a verb that does not work in a release.
    #[test]
    fn every_verb_is_sound() {
        Cli::command().debug_assert();
    }
}
