//! The steps, in their order. Each looks at the box itself whether it is done, so that nothing has to remember how far
//! somebody came: a power cut, and the same command goes on.

use std::collections::BTreeMap;

use batch::BoxId;
use gatewayd::GatewayConfig;
use toml_edit::value;

use super::answers::{Answers, Invitation, NewDevice, NewOutfall};
use super::error::SetupError;
use super::examples;
use super::site::Site;
use super::told::Console;
use super::units::{GATEWAY, SYNC};
use crate::enroll::Invited;
use crate::error::CommandError;
use crate::lang::Lang;
use crate::toml_file::TomlFile;
use crate::{device, outfall, self_test};

/// Rights of a gateway.toml that was not there, as the package has it.
const MODE: u32 = 0o640;

/// One thing that a finished box has.
pub(super) enum Step<'a> {
    /// No device with a published password.
    Examples,
    /// Its name.
    Name(&'a BoxId),
    /// A device.
    Device(&'a NewDevice),
    /// The field daemon, which knows all devices of the table.
    Gateway,
    /// The dossier of its outfall.
    Dossier(&'a NewOutfall),
    /// A platform that it knows and that knows it.
    Platform(&'a Invitation, &'a BoxId),
    /// The upload daemon, which serves all platforms, those among them that are to be enrolled.
    Upload(&'a [Invitation]),
    /// A test frame with every platform's receipt.
    Test,
}

/// How a step was found, with the facts.
pub(super) enum Found {
    /// Nothing is to be done.
    Done(String),
    /// This is.
    Todo(String),
}

/// What a step came to.
pub(super) enum Came {
    /// It is done.
    Done(String),
    /// It is done, and what came of it is not well.
    NotWell(String),
}

/// All of them. Platforms come behind the gateway, whose key and journal they need.
pub(super) fn steps(answers: &Answers) -> Vec<Step<'_>> {
    let mut steps = vec![Step::Examples, Step::Name(&answers.name)];
    steps.extend(answers.devices.iter().map(Step::Device));
    steps.push(Step::Gateway);
    steps.extend(answers.outfall.iter().map(Step::Dossier));
    steps.extend(answers.platforms.iter().map(|platform| Step::Platform(platform, &answers.name)));
    steps.extend([Step::Upload(&answers.platforms), Step::Test]);
    steps
}

impl Step<'_> {
    /// What it is, for people.
    pub(super) fn title(&self, lang: Lang) -> &'static str {
        match self {
            Step::Examples => lang.pick("examples", "示例设备"),
            Step::Name(_) => lang.pick("box name", "站名"),
            Step::Device(_) => lang.pick("device", "设备"),
            Step::Gateway => lang.pick("gateway", "网关服务"),
            Step::Dossier(_) => lang.pick("outfall", "排口档案"),
            Step::Platform(..) => lang.pick("platform", "平台"),
            Step::Upload(_) => lang.pick("upload", "上传服务"),
            Step::Test => lang.pick("self-test", "自检"),
        }
    }

    /// The same for programs.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Step::Examples => "examples",
            Step::Name(_) => "name",
            Step::Device(_) => "device",
            Step::Gateway => "gateway",
            Step::Dossier(_) => "outfall",
            Step::Platform(..) => "platform",
            Step::Upload(_) => "upload",
            Step::Test => "self_test",
        }
    }

    /// Whether the rest can go on without it: one platform that is down keeps no other one from being enrolled.
    pub(super) fn is_optional(&self) -> bool {
        matches!(self, Step::Platform(..))
    }

    /// Whether it is done already. Changes nothing.
    pub(super) fn look(&self, site: &Site<'_>, lang: Lang) -> Result<Found, CommandError> {
        match self {
            Step::Examples => examples::look(site, lang),
            Step::Name(name) => look_at_name(name, site),
            Step::Device(device) => {
                let name = device.add.name.clone();
                Ok(if examples::own_devices(site)?.contains(&name) { Found::Done(name) } else { Found::Todo(name) })
            }
            Step::Gateway => {
                let text = lang.pick("runs, and starts with the machine", "运行中，随机启动").to_owned();
                let is_well = site.gateway_lacks(&table(site)?).is_none() && site.starts_gateway();
                Ok(if is_well { Found::Done(text) } else { Found::Todo(text) })
            }
            Step::Dossier(new) => {
                let code = new.dossier.code.to_string();
                let is_there = site.has_journal() && outfall::has(&new.dossier.code, site.state_dir)?;
                Ok(if is_there { Found::Done(code) } else { Found::Todo(code) })
            }
            Step::Platform(platform, _) => {
                let url = platform.url.to_string();
                let known = site.destinations()?.into_iter().find(|known| known.url == platform.url);
                Ok(known.map_or(Found::Todo(url), |known| Found::Done(format!("{} · {}", known.name, known.url))))
            }
            Step::Upload(wanted) => look_at_upload(wanted, site, lang),
            Step::Test => look_at_test(site, lang),
        }
    }

    /// Does it.
    pub(super) fn carry_out(&self, site: &Site<'_>, console: &Console, lang: Lang) -> Result<Came, CommandError> {
        match self {
            Step::Examples => examples::take_out(site, lang),
            Step::Name(name) => write_name(name, site).map(|()| Came::Done(name.to_string())),
            Step::Device(device) => add(device, site, console, lang),
            Step::Gateway => {
                let devices = table(site)?;
                site.start(GATEWAY, || site.gateway_lacks(&devices), |line| console.by_hand(line))?;
                Ok(Came::Done(lang.pick("runs, and starts with the machine", "运行中，随机启动").to_owned()))
            }
            Step::Dossier(new) => {
                outfall::add(&new.dossier, &new.reason, site.run_dir)?;
                Ok(Came::Done(new.dossier.code.to_string()))
            }
            Step::Platform(platform, name) => enroll(platform, name, site),
            Step::Upload(_) => {
                let platforms = names(site)?;
                if platforms.is_empty() {
                    return Ok(Came::NotWell(no_platform(lang)));
                }
                site.start(SYNC, || site.upload_lacks(&platforms), |line| console.by_hand(line))?;
                Ok(Came::Done(platforms.join(", ")))
            }
            Step::Test => {
                let tested = self_test::test("weir setup", site.patience, (site.state_dir, site.run_dir))?;
                console.tested(&tested)?;
                let text = format!("{} {}", lang.pick("record", "记录"), tested.seq);
                Ok(if tested.is_well() { Came::Done(text) } else { Came::NotWell(text) })
            }
        }
    }
}

fn look_at_name(name: &BoxId, site: &Site<'_>) -> Result<Found, CommandError> {
    if let Some(is) = site.name()?.filter(|is| is != name) {
        return Err(SetupError::Name { is, wanted: name.clone() }.into());
    }
    let file = TomlFile::read(&site.file("gateway.toml"), MODE).map_err(SetupError::File)?;
    let own = file.document.get("box").and_then(|is| is.as_str());
    // A drop-in may say another one, or the only one.
    let counts = gatewayd::config::layered(&file.path).and_then(|typed| Ok(typed.parse::<toml::Table>()?)).ok();
    let counts = counts.as_ref().map_or(own, |counts| counts.get("box").and_then(toml::Value::as_str));
    let is_there = counts == Some(name.as_str());
    Ok(if is_there { Found::Done(name.to_string()) } else { Found::Todo(name.to_string()) })
}

fn write_name(name: &BoxId, site: &Site<'_>) -> Result<(), CommandError> {
    let path = site.file("gateway.toml");
    let mut file = TomlFile::read(&path, MODE).map_err(SetupError::File)?;
    match file.document.get_mut("box") {
        Some(item) => *item = value(name.as_str()),
        None => drop(file.document.insert("box", value(name.as_str()))),
    }
    let typed =
        gatewayd::config::layered_with(&path, file.document.to_string()).map_err(CommandError::GatewayConfig)?;
    let at = typed.spot("box");
    let counts = GatewayConfig::load_layered(&path, typed, &BTreeMap::new()).map_err(CommandError::GatewayConfig)?;
    if counts.config.file.box_id != *name {
        return Err(SetupError::NameOver { at, is: counts.config.file.box_id, wanted: name.clone() }.into());
    }
    file.write().map_err(SetupError::File)?;
    Ok(())
}

/// The names in the device table.
pub(super) fn table(site: &Site<'_>) -> Result<Vec<String>, CommandError> {
    Ok(device::names(site.config_dir)?)
}

fn add(new: &NewDevice, site: &Site<'_>, console: &Console, lang: Lang) -> Result<Came, CommandError> {
    let outfall = new.outfall.as_ref().map(|code| code.as_str());
    let dirs = (site.config_dir, site.run_dir);
    let ready = device::prepare(dirs, lang, &new.add, new.keys.as_deref(), (outfall, &new.base))?;
    // Before it is written: a power cut leaves a password that was shown for nothing, and none that nobody saw.
    if let Some(password) = &ready.password {
        console.password(&new.add.name, password)?;
    }
    for finding in ready.write()? {
        console.note(&format!("! {finding}"))?;
    }
    Ok(Came::Done(new.add.name.clone()))
}

fn enroll(platform: &Invitation, name: &BoxId, site: &Site<'_>) -> Result<Came, CommandError> {
    let no_code = || SetupError::NoCode { url: platform.url.to_string(), name: name.clone() };
    let code = platform.code.clone().ok_or_else(no_code)?;
    let (url, proxy) = (platform.url.clone(), platform.proxy.clone());
    let invited = Invited { url, code, name: platform.name.clone(), proxy };
    let known = invited.enroll(&site.file("sync.toml"), (site.state_dir, site.run_dir))?;
    Ok(Came::Done(format!("{} · {}", known.destination, platform.url)))
}

/// The platforms' names.
fn names(site: &Site<'_>) -> Result<Vec<String>, CommandError> {
    Ok(site.destinations()?.into_iter().map(|destination| destination.name.to_string()).collect())
}

fn no_platform(lang: Lang) -> String {
    lang.pick("no platform yet, nothing to send", "尚无平台，无需上传").to_owned()
}

fn look_at_upload(wanted: &[Invitation], site: &Site<'_>, lang: Lang) -> Result<Found, CommandError> {
    let platforms = names(site)?;
    match (platforms.is_empty(), wanted.is_empty()) {
        (true, true) => return Ok(Found::Done(no_platform(lang))),
        (true, false) => return Ok(Found::Todo(lang.pick("once a platform is enrolled", "平台登记后启动").to_owned())),
        (false, _) => {}
    }
    let is_well = site.upload_lacks(&platforms).is_none() && site.starts_upload();
    let text = platforms.join(", ");
    Ok(if is_well { Found::Done(text) } else { Found::Todo(text) })
}

/// Done if the newest test frame has the receipts of all platforms that there are now.
fn look_at_test(site: &Site<'_>, lang: Lang) -> Result<Found, CommandError> {
    let todo = lang.pick("a test frame to every platform's receipt", "测试帧直至各平台回执").to_owned();
    let Some(seq) = site.has_journal().then(|| self_test::newest(site.state_dir)).transpose()?.flatten() else {
        return Ok(Found::Todo(todo));
    };
    for platform in names(site)? {
        if !self_test::holds(seq, &platform, site.state_dir)? {
            return Ok(Found::Todo(todo));
        }
    }
    Ok(Found::Done(format!("{} {seq}", lang.pick("record", "记录"))))
}
