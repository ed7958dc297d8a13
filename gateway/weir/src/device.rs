//! `weir device`: the table of devices, for people.
//!
//! Changes go to `devices.toml` and `keys.toml`, checked whole before a byte is written; the gateway reads them at its
//! next start. What lives in the running gateway (sessions, commands, strangers) is asked of it over its control socket.

mod add;
mod args;
mod error;
mod fence;
mod files;
mod import;
mod live;
mod qr_code;
mod sealed;
mod section;
mod shipped;
mod show;
mod test;

use std::path::{Path, PathBuf};

use gatewayd::config::{DevicePlace, check_devices, check_topics, device_place};
use ingest::Finding;
use lorawan::Region;

use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;
pub(crate) use add::Ready;
use args::Verb;
pub(crate) use args::{AddArgs, DeviceArgs, LinkKind};
pub(crate) use error::DeviceError;
use files::{Change, DeviceFiles};
pub(crate) use qr_code::{QrCode, QrCodeError};
pub(crate) use section::is_codec;
pub(crate) use shipped::names as codec_names;

/// The files of this box, its channel plan, and where to ask.
struct Place<'a> {
    gateway: PathBuf,
    devices: PathBuf,
    keys: PathBuf,
    region: Region,
    run_dir: &'a Path,
    lang: Lang,
}

/// Carries out a device verb.
pub(crate) fn run(args: &DeviceArgs, run_dir: &Path, lang: Lang) -> Result<Exit, DeviceError> {
    // Neither needs a configuration.
    match &args.verb {
        Verb::TestCodec(codec) => return fence::run(codec, lang),
        Verb::RunCodec { within, codec } => return fence::enter(codec, *within, lang),
        _ => {}
    }
    let place = Place::of(&args.config_dir, run_dir, lang)?;
    match &args.verb {
        Verb::List(output) => show::list(&place, output.json),
        Verb::Show { name, json } => show::one(&place, name, *json),
        Verb::Add(add) => add::add(place, add),
        Verb::Import { file } => add::import(&place, file),
        Verb::Test { name, payload, f_port, json } => test::device(&place, name, payload, *f_port, (*json, lang)),
        Verb::TestCodec(_) | Verb::RunCodec { .. } => unreachable!("served above"),
        Verb::Disable { name } => switch(&place, name, false),
        Verb::Enable { name } => switch(&place, name, true),
        Verb::Remove { name } => remove(&place, name),
        Verb::Strangers(output) => live::strangers(&place, output.json),
        Verb::FlushNonces { name } => live::flush_nonces(&place, name),
        Verb::ResetCounter { name } => live::reset_counter(&place, name),
        Verb::ExportSessions { out, passphrase_file } => live::export(&place, out, passphrase_file.as_deref()),
        Verb::ImportSessions { file, passphrase_file } => live::import(&place, file, passphrase_file.as_deref()),
        Verb::Redecode { name, from, to } => live::redecode(&place, name, *from, *to),
        Verb::Sample { name, period_s } => live::sample(&place, name, *period_s),
        Verb::Send { name, payload, f_port, confirmed } => live::send(&place, name, payload, *f_port, *confirmed),
    }
}

/// The names in the device table.
pub(crate) fn names(config_dir: &Path) -> Result<Vec<String>, DeviceError> {
    let DevicePlace { devices, keys, .. } =
        device_place(&config_dir.join("gateway.toml")).map_err(DeviceError::Config)?;
    Ok(DeviceFiles::open(&devices, &keys)?.names())
}

/// Puts a device together, with the text of its keys, its outfall, and the folder of its codec's file. Writes nothing.
pub(crate) fn prepare<'a>(
    (config_dir, run_dir): (&Path, &'a Path),
    lang: Lang,
    args: &AddArgs,
    keys_text: Option<&str>,
    more: (Option<&str>, &Path),
) -> Result<Ready<'a>, DeviceError> {
    Ready::new(Place::of(config_dir, run_dir, lang)?, args, keys_text, more)
}

impl<'a> Place<'a> {
    fn of(config_dir: &Path, run_dir: &'a Path, lang: Lang) -> Result<Place<'a>, DeviceError> {
        let gateway = config_dir.join("gateway.toml");
        let DevicePlace { devices, keys, region } = device_place(&gateway).map_err(DeviceError::Config)?;
        Ok(Place { gateway, devices, keys, region, run_dir, lang })
    }
}

impl Place<'_> {
    fn open(&self) -> Result<DeviceFiles, DeviceError> {
        Ok(DeviceFiles::open(&self.devices, &self.keys)?)
    }

    /// Checks the files as the gateway would, then writes them.
    fn save(&self, files: &DeviceFiles, change: Change) -> Result<(), DeviceError> {
        self.save_new(files, change, &[]).map(drop)
    }

    /// The same with the devices of these names checked against the channel plan as well. Gives what will not work as
    /// their owner may think.
    fn save_new(&self, files: &DeviceFiles, change: Change, new: &[String]) -> Result<Vec<Finding>, DeviceError> {
        let table = check_devices(&self.devices, &files.devices_text(), &self.keys, &files.keys_text())
            .and_then(|table| check_topics(&self.gateway, &table).map(|()| table))
            .map_err(DeviceError::Refused)?;
        let is_new = |finding: &Finding| new.iter().any(|name| name == finding.device().as_str());
        let findings: Vec<Finding> = table.check(self.region).into_iter().filter(is_new).collect();
        if let Some(hopeless) = findings.iter().find(|finding| finding.is_hopeless()) {
            return Err(DeviceError::Region(hopeless.clone()));
        }
        files.save(change)?;
        Ok(findings)
    }

    fn say_findings(&self, findings: &[Finding]) -> Result<(), DeviceError> {
        findings.iter().try_for_each(|finding| self.say(&format!("! {finding}")).map(drop))
    }

    /// Says what was done and what remains to be done.
    fn say_saved(&self, done: &str) -> Result<Exit, DeviceError> {
        let next = self.lang.pick(
            "it counts from the gateway's next start on: sudo systemctl restart weir-gateway",
            "网关下次启动后生效：sudo systemctl restart weir-gateway",
        );
        self.say(&format!("{done} · {next}"))
    }

    fn say(&self, text: &str) -> Result<Exit, DeviceError> {
        let mut out = output::stdout();
        output::line(&mut out, text).map_err(DeviceError::output)?;
        std::io::Write::flush(&mut out)
            .map_err(|error| DeviceError::output(crate::error::CommandError::output(error)))?;
        Ok(Exit::Good)
    }
}

fn switch(place: &Place<'_>, name: &str, enabled: bool) -> Result<Exit, DeviceError> {
    let mut files = place.open()?;
    let section = files.device(name)?;
    match enabled {
        // Enabled is what a section without the key is.
        true => drop(section.remove("enabled")),
        false => drop(section.insert("enabled", toml_edit::value(false))),
    }
    place.save(&files, Change::Adds)?;
    let done = match enabled {
        true => place.lang.pick("enabled", "已启用"),
        false => place.lang.pick("disabled", "已停用"),
    };
    place.say_saved(&format!("{name} {done}"))
}

fn remove(place: &Place<'_>, name: &str) -> Result<Exit, DeviceError> {
    let mut files = place.open()?;
    files.remove(name)?;
    place.save(&files, Change::Removes)?;
    let done = place.lang.pick("removed, its records stay in the journal", "已删除，其历史记录仍保留在日志库中");
    place.say_saved(&format!("{name} {done}"))
}
