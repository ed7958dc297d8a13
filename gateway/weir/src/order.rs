//! `weir platform order` and `orders`: what this platform orders of boxes, and what became of it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use batch::{BoxId, Command, IdError, Order, OrderedFile};
use clap::{Args, Subcommand};
use gatewayd::ConfigError;
use gatewayd::config::load_rules;
use platform::store::{Archive, CommandState, StoreError};
use platform::{CommandError as OrderingError, Ordered, StateDir};
use record::{Audit, ConfigFile, RelayId, RelayIdError, Seq, SeqRange, SeqRanges, SourceId, SourceIdError, UnixMs};
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};

/// `weir platform order`
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    #[command(subcommand)]
    order: Ordering,
}

/// What can be ordered.
#[derive(Debug, Subcommand)]
enum Ordering {
    /// Have records sent once more, as after this platform was restored from a backup.
    Resend {
        /// The records, as 100-250 or 17; several ranges are allowed.
        #[arg(value_name = "RECORDS", required = true, value_parser = records)]
        records: Vec<SeqRange>,
        #[command(flatten)]
        common: Common,
    },
    /// Have a device measure so often.
    Sampling {
        /// The device, as the box calls it.
        #[arg(value_parser = |text: &str| -> Result<SourceId, SourceIdError> { SourceId::new(text) })]
        device: SourceId,
        /// Seconds from one measurement to the next.
        #[arg(value_name = "SECONDS")]
        period_s: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Put other rules in force, on trial: they stay if this platform's receipts show in time that the box delivers.
    Rules {
        /// The rules, a rules.toml or a folder of such files.
        #[arg(value_name = "PATH")]
        rules: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Put another gateway.toml, another devices.toml, or both in force, on trial as rules are: the box starts its gateway
    /// with them. Keys, the box's name, its folders and what may be ordered of it stay the technician's.
    Configuration {
        /// The whole gateway.toml.
        #[arg(long, value_name = "FILE", required_unless_present = "devices")]
        gateway: Option<PathBuf>,
        /// The whole devices.toml; its devices have their keys on the box already.
        #[arg(long, value_name = "FILE")]
        devices: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Have a sampler of the box retain a sample now. Its cool-down, its bottles and the rest hold as for an alarm; what comes
    /// of it is a record.
    RetainedSample {
        /// The sampler, as the box calls it.
        #[arg(value_parser = |text: &str| -> Result<RelayId, RelayIdError> { RelayId::new(text) })]
        sampler: RelayId,
        #[command(flatten)]
        common: Common,
    },
}

/// What every order has.
#[derive(Debug, Args)]
struct Common {
    /// The box's name.
    #[arg(long = "box", value_name = "BOX")]
    box_id: String,
    /// The platform's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Why. The box journals it, and every platform of the box reads it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The box refuses the order after so many hours.
    #[arg(long, default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=i64::from(platform::COMMAND_HOURS_MAX)))]
    hours: u32,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir platform orders`
#[derive(Debug, Args)]
pub(crate) struct OrdersArgs {
    /// The box's name.
    #[arg(value_name = "BOX")]
    box_id: String,
    /// The platform's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Why nothing was ordered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    /// Not the name of a box.
    #[error("the name of the box")]
    Name(#[source] IdError),
    /// A file cannot be read.
    #[error("failed to read `{path}` · try: another path")]
    Read {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// No box would take it.
    #[error("`{path}` is no TOML, and no box would take it")]
    Toml {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: Box<toml::de::Error>,
    },
    /// The rules cannot be read, or no box would take them.
    #[error("no box would take these rules")]
    Rules(#[source] ConfigError),
    /// No reason, or too long a one.
    #[error("a reason has 1 to {} bytes · try: --reason TEXT", Audit::TEXT_BYTES_MAX)]
    Reason,
    /// It is not signed or not stored.
    #[error("nothing was ordered")]
    Order(#[source] OrderingError),
    /// What was ordered cannot be read.
    #[error("what was ordered cannot be read")]
    Orders(#[source] OrderingError),
    /// The database cannot be read.
    #[error("what the box answered cannot be read")]
    Store(#[source] StoreError),
}

fn records(text: &str) -> Result<SeqRange, String> {
    let wrong = || format!("`{text}` is no range of records, write 100-250 or 17");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let seq = |text: &str| text.parse().map(Seq).map_err(|_| wrong());
    SeqRange::new(seq(first)?, seq(last)?).ok_or_else(wrong)
}

fn read(path: &Path) -> Result<String, OrderError> {
    fs::read_to_string(path).map_err(|source| OrderError::Read { path: path.into(), source })
}

/// A file as it is ordered. Whether the box takes it, the box says, which alone has the rest of its configuration.
fn ordered_file(file: ConfigFile, path: &Path) -> Result<OrderedFile, OrderError> {
    let toml = read(path)?;
    toml::from_str::<toml::Table>(&toml)
        .map_err(|source| OrderError::Toml { path: path.into(), source: Box::new(source) })?;
    Ok(OrderedFile { file, toml })
}

/// Orders something.
pub(crate) fn order(args: &OrderArgs, lang: Lang) -> Result<Exit, CommandError> {
    let (order, common) = match &args.order {
        Ordering::Resend { records, common } => {
            (Order::Resend { records: records.iter().copied().collect::<SeqRanges>() }, common)
        }
        Ordering::Sampling { device, period_s, common } => {
            (Order::Sampling { device: device.clone(), period_s: *period_s }, common)
        }
        Ordering::Rules { rules: path, common } => {
            let rules = load_rules(std::slice::from_ref(path)).map_err(OrderError::Rules)?;
            (Order::Rules { toml: rules.text }, common)
        }
        Ordering::Configuration { gateway, devices, common } => {
            let named = [(ConfigFile::Gateway, gateway), (ConfigFile::Devices, devices)];
            let files = named.into_iter().filter_map(|(file, path)| Some(ordered_file(file, path.as_ref()?)));
            (Order::Configuration { files: files.collect::<Result<_, _>>()? }, common)
        }
        Ordering::RetainedSample { sampler, common } => (Order::RetainedSample { sampler: sampler.clone() }, common),
    };
    let reason = common.reason.trim();
    if reason.is_empty() || reason.len() > Audit::TEXT_BYTES_MAX {
        return Err(OrderError::Reason.into());
    }
    let config = platform::Config::load(&common.config).map_err(CommandError::PlatformConfig)?;
    let box_id = BoxId::new(&common.box_id).map_err(OrderError::Name)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let command = platform::order(&config, &box_id, order, reason, common.hours, now).map_err(OrderError::Order)?;
    let mut out = output::stdout();
    let text = match (common.json, lang) {
        (true, _) => json!({ "command": command }).to_string(),
        (false, Lang::En) => format!(
            "command {} waits for box {box_id}, which hears of it with its next receipt · try: weir platform orders {box_id}",
            command.number
        ),
        (false, Lang::Zh) => format!(
            "指令 {} 已就绪，设备 {box_id} 将随下一份回执收到 · try: weir platform orders {box_id}",
            command.number
        ),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Lists what was ordered of a box, and what became of it. What was refused or rolled back is not well.
pub(crate) fn orders(args: &OrdersArgs, lang: Lang) -> Result<Exit, CommandError> {
    let config = platform::Config::load(&args.config).map_err(CommandError::PlatformConfig)?;
    let box_id = BoxId::new(&args.box_id).map_err(OrderError::Name)?;
    let ordered = platform::ordered(&config, &box_id).map_err(OrderError::Orders)?;
    let archive = Archive::new(&StateDir::new(&config.state_dir).database());
    let state = |Ordered { command, bytes }: Ordered| {
        archive.command_state(&box_id, &bytes).map(|state| (command, state)).map_err(OrderError::Store)
    };
    let all = ordered.into_iter().map(state).collect::<Result<Vec<_>, _>>()?;
    let mut out = output::stdout();
    if args.json {
        line(&mut out, &json!({ "box": box_id, "orders": all.iter().map(as_json).collect::<Vec<_>>() }).to_string())?;
    } else if all.is_empty() {
        line(&mut out, lang.pick("nothing was ordered of this box", "尚未向该设备下达指令"))?;
    } else {
        let head = match lang {
            Lang::En => ["ordered", "what", "what became of it", "reason"],
            Lang::Zh => ["下达时间", "内容", "结果", "理由"],
        };
        let row = |(command, state): &(Command, CommandState)| {
            vec![output::time(command.issued_ms), what(&command.order), words(state, lang), command.reason.clone()]
        };
        let rows: Vec<Vec<String>> =
            [head.map(str::to_owned).to_vec()].into_iter().chain(all.iter().map(row)).collect();
        table(&mut out, &rows)?;
    }
    out.flush().map_err(CommandError::output)?;
    let is_bad = |(_, state): &(Command, CommandState)| {
        matches!(state, CommandState::Refused(_)) || matches!(state, CommandState::Settled(how) if how == "rolled_back")
    };
    Ok(if all.iter().any(is_bad) { Exit::NotWell } else { Exit::Good })
}

fn as_json((command, state): &(Command, CommandState)) -> Value {
    let (state, refused) = match state {
        CommandState::Waiting => ("waiting", None),
        CommandState::Journaled => ("journaled", None),
        CommandState::Settled(how) => (how.as_str(), None),
        CommandState::Refused(why) => ("refused", Some(why)),
    };
    json!({ "command": command, "state": state, "refused": refused })
}

fn what(order: &Order) -> String {
    match order {
        Order::Resend { records } => format!("resend {records:?}"),
        Order::Sampling { device, period_s } => format!("sampling {device} {period_s} s"),
        Order::Rules { toml } => format!("rules, {} bytes", toml.len()),
        Order::Configuration { files } => {
            let files = files.iter().map(|ordered| format!("{}, {} bytes", ordered.file, ordered.toml.len()));
            files.collect::<Vec<_>>().join(", ")
        }
        Order::RetainedSample { sampler } => format!("retained sample, {sampler}"),
    }
}

fn words(state: &CommandState, lang: Lang) -> String {
    match state {
        CommandState::Waiting => lang.pick("waits for the box", "等待设备").to_owned(),
        CommandState::Journaled => lang.pick("the box carries it out", "设备已执行").to_owned(),
        CommandState::Settled(how) if how == "kept" => lang.pick("kept", "已保留").to_owned(),
        CommandState::Settled(how) if how == "rolled_back" => lang.pick("rolled back", "已回退").to_owned(),
        CommandState::Settled(_) => lang.pick("superseded by hand", "已被人工修改取代").to_owned(),
        CommandState::Refused(why) => format!("{}: {why}", lang.pick("refused", "被拒绝")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_a_number_or_a_range() {
        let range = |first, last| SeqRange::new(Seq(first), Seq(last)).unwrap();
        assert_eq!(records("17").unwrap(), range(17, 17));
        assert_eq!(records("100-250").unwrap(), range(100, 250));
        for wrong in ["", "-", "5-3", "a", "1-b", "1-2-3"] {
            assert!(records(wrong).unwrap_err().contains("write 100-250"), "{wrong}");
        }
    }
}
