//! `weir`: the one binary. Daemons run under it, technicians type it.
//!
//! **In:** the command line, control sockets, the two databases read-only. **Out:** text or JSON, an exit status.
//!
//! **Deliberately does not know:** how anything is done; it asks the daemons and the crates below. It never writes the
//! journal or the outbox.

mod alarm;
mod audit;
mod backup;
mod bundle;
mod check;
mod cli;
mod compare;
mod configuration;
mod daemon;
mod demo;
mod device;
mod doctor;
mod enroll;
mod error;
mod evidence;
mod exit;
mod export;
mod grounds;
mod help;
mod identity_card;
mod journal;
mod lang;
mod logging;
mod login;
mod man_pages;
mod manual;
mod metrics;
mod mqtt_wire;
mod notify;
mod order;
mod outfall;
mod output;
mod parked;
mod platform_keys;
mod rules;
mod sampler;
mod screen;
mod self_test;
mod setup;
mod signers;
mod status;
mod subprocess;
mod tail;
mod times;
mod toml_file;
mod translation;
mod upgrade;
mod verify;

use std::process::ExitCode;

use cli::{Cli, Command, Daemon, IdentityArgs, IdentityCommand, PageCommand, PlatformCommand, SyncCommand};
use error::CommandError;
use exit::Exit;
use lang::Lang;

fn main() -> ExitCode {
    let cli = help::parse(std::env::args_os().collect());
    let lang = language(&cli);
    let ended = run(cli);
    // What a daemon said last.
    log::logger().flush();
    match ended {
        Ok(exit) => exit.into(),
        Err(CommandError::OutputClosed) => Exit::Good.into(),
        Err(error) => {
            error::print(&error, lang);
            error.exit().into()
        }
    }
}

/// The language of people, in which also errors are told. What a daemon says goes to the log, where programs read it: a
/// machine's locale does not change that.
fn language(cli: &Cli) -> Lang {
    match &cli.command {
        Some(command) if command.is_daemon() => cli.lang.unwrap_or(Lang::En),
        _ => Lang::choose(cli.lang),
    }
}

fn run(cli: Cli) -> Result<Exit, CommandError> {
    let lang = language(&cli);
    let (state_dir, run_dir) = (&cli.state_dir, &cli.run_dir);
    let Some(command) = cli.command else {
        return match screen::is_possible() {
            true => screen::run((state_dir, run_dir), lang),
            false => status::run((state_dir, run_dir), false, lang),
        };
    };
    match command {
        Command::Gateway(Daemon::Run { config }) => daemon::gateway(&config),
        Command::Sync(SyncCommand::Run { config }) => daemon::sync(&config),
        Command::Sync(SyncCommand::Parked(output)) => parked::list(state_dir, output.json, lang),
        Command::Sync(SyncCommand::Retry { platform, batch, json }) => {
            parked::retry(&platform, batch.as_deref(), (state_dir, run_dir), json, lang)
        }
        Command::Sync(SyncCommand::Drop(args)) => parked::drop_batch(&args, (state_dir, run_dir), lang),
        Command::Page(PageCommand::Run { config }) => daemon::page(&config),
        Command::Platform(PlatformCommand::Run { config }) => daemon::platform(&config),
        Command::Platform(PlatformCommand::Compare(args)) => compare::run(&args, lang),
        Command::Platform(PlatformCommand::Order(args)) => order::order(&args, lang),
        Command::Platform(PlatformCommand::Orders(args)) => order::orders(&args, lang),
        Command::Platform(PlatformCommand::Invite(args)) => enroll::invite(&args, lang),
        Command::Platform(PlatformCommand::Revoke(args)) => platform_keys::revoke(&args, lang),
        Command::Platform(PlatformCommand::Rotate(args)) => platform_keys::rotate(&args, lang),
        Command::Setup(args) => setup::run(&args, (state_dir, run_dir), lang),
        Command::Status(output) => status::run((state_dir, run_dir), output.json, lang),
        Command::Doctor(args) => doctor::run(&args, (state_dir, run_dir), lang),
        Command::Bundle(args) => bundle::run(&args, (state_dir, run_dir), lang),
        Command::Metrics(args) => metrics::run(&args, run_dir, lang),
        Command::Tail(args) => tail::run(state_dir, &args, lang),
        Command::Export(args) => export::run(state_dir, &args, lang),
        Command::Evidence(command) => evidence::run(&command, (state_dir, run_dir), lang),
        Command::Verify(args) => verify::run(state_dir, &args, lang),
        Command::Backup { to, json } => backup::backup_to(&to, state_dir, json, lang),
        Command::Restore { from, json } => backup::restore_from(&from, state_dir, json, lang),
        Command::Journal(command) => journal::run(&command, state_dir, run_dir, lang),
        Command::Identity(IdentityArgs { command: Some(IdentityCommand::Enroll(args)), .. }) => {
            enroll::enroll(&args, (state_dir, run_dir), lang)
        }
        Command::Identity(IdentityArgs { command: Some(IdentityCommand::Pin(args)), .. }) => {
            enroll::believe(&args, run_dir, lang)
        }
        Command::Identity(IdentityArgs { command: Some(IdentityCommand::Rotate(args)), .. }) => {
            identity_card::rotate(&args, run_dir, lang)
        }
        Command::Identity(IdentityArgs { output, .. }) => identity_card::run(state_dir, output.json, lang),
        Command::Config(args) => configuration::run(&args, (state_dir, run_dir), lang),
        Command::Upgrade(args) => upgrade::run(&args, (state_dir, run_dir), lang),
        Command::Alarm(command) => alarm::run(&command, run_dir, lang),
        Command::Notify(command) => notify::run(&command, run_dir, lang),
        Command::Sampler(command) => sampler::run(&command, run_dir, lang),
        Command::Outfall(command) => outfall::run(&command, (state_dir, run_dir), lang),
        Command::SelfTest(args) => self_test::run(&args, (state_dir, run_dir), lang),
        Command::Manual(command) => manual::run(&command, (state_dir, run_dir), lang),
        Command::Patrol(command) => manual::run_patrol(&command, (state_dir, run_dir), lang),
        Command::Rules(command) => rules::run(&command, (state_dir, run_dir), lang),
        Command::Device(args) => device::run(&args, run_dir, lang).map_err(|error| error.into()),
        Command::Demo(args) => demo::run(&args, lang).map_err(CommandError::Demo),
        Command::Login(args) => login::run(&args, lang),
        Command::ManPages { to } => man_pages::write(&to),
    }
}
