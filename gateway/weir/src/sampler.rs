//! `weir sampler`: the bottles that were filled and those that are left, and a sample by hand.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use control::chain;
use gatewayd::status::RelayStatus;
use gatewayd::{GatewayConfig, Loaded};
use record::{Act, RelayId, RelayIdError, SampleStep};
use serde::Deserialize;
use serde_json::json;

use crate::audit;
use crate::cli::Output;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};
use crate::status::ask_gateway;
use crate::tail::refusal;

/// `weir sampler`
#[derive(Debug, Subcommand)]
pub(crate) enum SamplerCommand {
    /// The relays of this box: samplers with their bottles, lights and sirens, and whether their lines can be switched.
    List(Output),
    /// Retain a sample now. The cool-down, the bottles and the rest hold as for an alarm; what comes of it is journaled.
    Take(TakeArgs),
    /// Say that empty bottles stand in a sampler.
    Refill(RefillArgs),
    /// Switch every relay of the configuration off, while the gateway does not run. Nothing here switches one on.
    Off(OffArgs),
}

/// `weir sampler take`
#[derive(Debug, Args)]
pub(crate) struct TakeArgs {
    /// The sampler, as `weir sampler list` shows it.
    #[arg(value_parser = |text: &str| -> Result<RelayId, RelayIdError> { RelayId::new(text) })]
    sampler: RelayId,
    /// Why. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir sampler refill`
#[derive(Debug, Args)]
pub(crate) struct RefillArgs {
    /// The sampler, as `weir sampler list` shows it.
    #[arg(value_parser = |text: &str| -> Result<RelayId, RelayIdError> { RelayId::new(text) })]
    sampler: RelayId,
    /// How many empty bottles; as many as gateway.toml says if left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    bottles: Option<u16>,
    /// What became of the full ones. It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// `weir sampler off`
#[derive(Debug, Args)]
pub(crate) struct OffArgs {
    /// The gateway's configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/weir/gateway.toml")]
    config: PathBuf,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Does what was typed.
pub(crate) fn run(command: &SamplerCommand, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    match command {
        SamplerCommand::List(output) => list(run_dir, output.json, lang),
        SamplerCommand::Take(args) => take(args, run_dir, lang),
        SamplerCommand::Refill(args) => refill(args, run_dir, lang),
        SamplerCommand::Off(args) => off(args, lang),
    }
}

/// Lists them. One that cannot be used is not well.
fn list(run_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let relays = ask_gateway(run_dir)?.relays;
    let mut out = output::stdout();
    if json {
        line(&mut out, &json!({ "relays": relays }).to_string())?;
    } else if relays.is_empty() {
        let none =
            lang.pick("this box has no relays: gateway.toml has no [[relay]]", "gateway.toml 中没有继电器 [[relay]]");
        line(&mut out, none)?;
    } else {
        let heading = match lang {
            Lang::En => ["relay", "line", "state", "bottles used", "next sample"],
            Lang::Zh => ["继电器", "线路", "状态", "已用瓶数", "可再次留样"],
        };
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(relays.iter().map(|relay| row(relay, lang)));
        table(&mut out, &rows)?;
        for problem in what_is_wrong(&relays, lang).iter().map(|problem| lang.told(problem)) {
            line(&mut out, &format!("! {problem}"))?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if what_is_wrong(&relays, lang).is_empty() { Exit::Good } else { Exit::NotWell })
}

fn row(relay: &RelayStatus, lang: Lang) -> Vec<String> {
    let state = match relay {
        RelayStatus { enabled: false, .. } => lang.pick("switched off by gateway.toml", "已停用"),
        RelayStatus { open: false, .. } => lang.pick("cannot be used", "不可用"),
        RelayStatus { on: true, .. } => lang.pick("on", "吸合"),
        _ => lang.pick("off", "断开"),
    };
    let (bottles, next) = match &relay.sampler {
        None => ("-".to_owned(), "-".to_owned()),
        Some(sampler) if sampler.cooling_s > 0 => {
            (format!("{}/{}", sampler.used, sampler.bottles), format!("{} s", sampler.cooling_s))
        }
        Some(sampler) => {
            let next = if sampler.used < sampler.bottles { lang.pick("now", "现在") } else { "-" };
            (format!("{}/{}", sampler.used, sampler.bottles), next.to_owned())
        }
    };
    vec![relay.name.clone(), relay.place.clone(), state.to_owned(), bottles, next]
}

/// What is wrong with relays.
pub(crate) fn what_is_wrong(relays: &[RelayStatus], lang: Lang) -> Vec<String> {
    let mut wrong = Vec::new();
    for relay in relays.iter().filter(|relay| relay.enabled) {
        let name = &relay.name;
        if !relay.open {
            let error = relay.error.as_deref().unwrap_or("-");
            wrong.push(format!("{} {name}: {error}", lang.pick("relay", "继电器")));
        }
        if relay.sampler.is_some_and(|sampler| sampler.used >= sampler.bottles) {
            let text = lang.pick("has no empty bottle left", "已无空瓶");
            wrong.push(format!("{} {name} {text} · try: weir sampler refill {name}", lang.pick("sampler", "采样器")));
        }
    }
    wrong
}

/// The gateway's answer to `take_sample`.
#[derive(Deserialize)]
struct Answer {
    seq: u64,
    sampled: Act,
}

/// Has the gateway take one.
fn take(args: &TakeArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let request = json!({ "do": "take_sample", "sampler": args.sampler, "reason": args.reason });
    let answer = control::ask(&run_dir.join("gateway.sock"), &request).map_err(CommandError::Control)?;
    let Answer { seq, sampled } =
        serde_json::from_value(answer).map_err(|error| CommandError::Order(error.to_string()))?;
    let Act::Sampled { sampler, step, bottle, bottles, .. } = sampled else {
        return Err(CommandError::Order("the gateway answered something else".into()));
    };
    let mut out = output::stdout();
    let is_started = step == SampleStep::Started;
    let text = match (args.json, is_started, lang) {
        (true, ..) => {
            json!({ "sampler": sampler, "step": step, "bottle": bottle, "bottles": bottles, "seq": seq }).to_string()
        }
        (false, true, Lang::En) => {
            format!("{sampler} takes bottle {bottle} of {bottles}, record {seq} · try: weir tail")
        }
        (false, true, Lang::Zh) => {
            format!("{sampler} 开始留样，第 {bottle}/{bottles} 瓶，记录号 {seq} · try: weir tail")
        }
        (false, false, Lang::En) => {
            format!("{sampler} takes none: {}, record {seq} · try: weir sampler list", refusal(step, lang))
        }
        (false, false, Lang::Zh) => {
            format!("{sampler} 未留样：{}，记录号 {seq} · try: weir sampler list", refusal(step, lang))
        }
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(if is_started { Exit::Good } else { Exit::NotWell })
}

/// Has it journaled that bottles stand in it.
fn refill(args: &RefillArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let RefillArgs { sampler, bottles, reason, json } = args;
    let configured = || -> Result<u16, CommandError> {
        let relays = ask_gateway(run_dir)?.relays;
        let known = relays.iter().find(|relay| relay.name == sampler.as_str()).and_then(|relay| relay.sampler);
        let nobody = || CommandError::Order(format!("there is no sampler {sampler} · try: weir sampler list"));
        known.map(|known| known.full).ok_or_else(nobody)
    };
    let bottles = bottles.map_or_else(configured, Ok)?;
    let act = Act::Refilled { sampler: sampler.clone(), bottles };
    let seq = audit::order(run_dir, &act, reason)?;
    let mut out = output::stdout();
    let text = match (json, lang) {
        (true, _) => json!({ "sampler": sampler, "bottles": bottles, "seq": seq }).to_string(),
        (false, Lang::En) => format!("{bottles} empty bottles in {sampler}, journaled as record {seq}"),
        (false, Lang::Zh) => format!("{sampler} 已有 {bottles} 个空瓶，记录号 {seq}"),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Switches all of them off without the gateway: the unit does so when the gateway has ended, however it did.
fn off(args: &OffArgs, lang: Lang) -> Result<Exit, CommandError> {
    let Loaded { config, .. } = GatewayConfig::load_or_last_good(&args.config).map_err(CommandError::GatewayConfig)?;
    let done = gatewayd::switch_off(&config.file.relay);
    let mut out = output::stdout();
    if args.json {
        let shown =
            done.iter().map(|(id, off)| json!({ "relay": id, "error": off.as_ref().err().map(|error| chain(error)) }));
        line(&mut out, &json!({ "relays": shown.collect::<Vec<_>>() }).to_string())?;
    } else {
        for (id, off) in &done {
            let text = match off {
                Ok(()) => format!("{id}: {}", lang.pick("off", "已断开")),
                Err(error) => format!("{id}: {}", lang.chain(error)),
            };
            line(&mut out, &text)?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if done.iter().all(|(_, off)| off.is_ok()) { Exit::Good } else { Exit::NotWell })
}
