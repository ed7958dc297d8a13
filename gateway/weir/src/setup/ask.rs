//! The guide: asks only for what nobody can guess, one line a question, so that a slow line carries it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use batch::{BoxId, EnrolmentCode};
use record::SourceId;
use syncd::BaseUrl;

use super::answers::{Answers, Invitation, NewDevice, NewOutfall, REASON};
use super::error::SetupError;
use super::examples::own_devices;
use super::site::Site;
use crate::device::{self, AddArgs, LinkKind, QrCode};
use crate::enroll::base_url;
use crate::error::CommandError;
use crate::lang::Lang;
use crate::outfall;

/// So many answers that cannot be are taken for slips.
const TRIES: usize = 5;
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Asks for what this box lacks; nothing of one that lacks nothing.
pub(super) fn ask(site: &Site<'_>, lang: Lang) -> Result<Answers, CommandError> {
    let known = Known::of(site)?;
    if let Some(name) = known.is_complete() {
        return Ok(known.with(Vec::new(), name));
    }
    if !io::stdin().is_terminal() {
        return Err(SetupError::NoTerminal.into());
    }
    let mut asker = Asker { input: io::stdin().lock(), output: io::stdout(), lang };
    loop {
        if let Some(answers) = asker.all(site, &known)? {
            return Ok(answers);
        }
    }
}

/// What a box has.
struct Known {
    name: Option<BoxId>,
    has_devices: bool,
    /// Where each platform is that it knows.
    platforms: Vec<BaseUrl>,
}

impl Known {
    fn of(site: &Site<'_>) -> Result<Known, CommandError> {
        let platforms = site.destinations()?.into_iter().map(|destination| destination.url).collect();
        Ok(Known { name: site.name()?, has_devices: !own_devices(site)?.is_empty(), platforms })
    }

    /// The name of a box that lacks nothing.
    fn is_complete(&self) -> Option<BoxId> {
        self.name.clone().filter(|_| self.has_devices && !self.platforms.is_empty())
    }

    /// The answers of a box that has all of this already, with more.
    fn with(&self, asked: Vec<Invitation>, name: BoxId) -> Answers {
        let there =
            self.platforms.iter().map(|url| Invitation { name: None, url: url.clone(), proxy: None, code: None });
        Answers { name, platforms: there.chain(asked).collect(), devices: Vec::new(), outfall: None }
    }
}

struct Asker<R, W> {
    input: R,
    output: W,
    lang: Lang,
}

impl<R: BufRead, W: Write> Asker<R, W> {
    /// One round; none if whoever answered does not want it so.
    fn all(&mut self, site: &Site<'_>, known: &Known) -> Result<Option<Answers>, CommandError> {
        let lang = self.lang;
        self.say(lang.pick(
            "Enter alone takes what is in [ ]. Until the last question nothing changes.",
            "直接回车采用 [ ] 中的内容。全部回答完之前不做任何更改。",
        ))?;
        let name = match &known.name {
            Some(name) => name.clone(),
            None => self
                .until(lang.pick("Box name, as the platform has it", "站名（与平台登记一致）"), |text| {
                    BoxId::new(text).map_err(|error| error.to_string())
                })?,
        };
        let asked = self.platforms(known)?;
        let devices = if known.has_devices { Vec::new() } else { self.device()?.into_iter().collect() };
        let outfall = self.outfall()?;
        let answers = Answers { devices, outfall, ..known.with(asked, name) };
        self.show(&answers)?;
        let more =
            if site.has_journal() { "" } else { lang.pick(" The name stays for good.", "站名此后不可更改。") };
        let question = format!("{}{more} [Y/n]", lang.pick("Is this right?", "以上是否正确？"));
        Ok(matches!(self.line(&question)?.to_lowercase().as_str(), "" | "y" | "yes" | "是").then_some(answers))
    }

    fn platforms(&mut self, known: &Known) -> Result<Vec<Invitation>, CommandError> {
        let lang = self.lang;
        let mut all = Vec::new();
        for url in &known.platforms {
            self.say(&format!("{} {url}", lang.pick("platform, enrolled already:", "平台，此前已登记：")))?;
        }
        loop {
            let question = match all.is_empty() && known.platforms.is_empty() {
                true => lang.pick("Platform URL [none yet]", "平台地址 [暂无]"),
                false => lang.pick("URL of one more platform [no more]", "下一个平台的地址 [没有了]"),
            };
            let url = self.unless_empty(question, |text| {
                let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
                base_url(&whole).map_err(|error| error.to_string())
            })?;
            let Some(url) = url else { return Ok(all) };
            let code = self.until(lang.pick("Its code for this box", "该平台给本站的登记码"), |text| {
                text.parse::<EnrolmentCode>().map_err(|error| error.to_string())
            })?;
            all.push(Invitation { name: None, url, proxy: None, code: Some(code) });
        }
    }

    fn device(&mut self) -> Result<Option<NewDevice>, CommandError> {
        let lang = self.lang;
        let question = lang.pick("Name of the first sensor [later]", "第一个传感器的名称 [以后再加]");
        let name = self.unless_empty(question, |text| SourceId::new(text).map_err(|error| error.to_string()))?;
        let Some(name) = name else { return Ok(None) };
        let question = lang.pick("It sends by: m MQTT, l LoRaWAN [m]", "通信方式：m MQTT，l LoRaWAN [m]");
        let link = self.unless_empty(question, |text| match text {
            "m" | "mqtt" => Ok(LinkKind::Mqtt),
            "l" | "lorawan" => Ok(LinkKind::Lorawan),
            _ => Err(lang
                .pick("m or l; others: weir device add", "请输入 m 或 l；其他方式用 weir device add")
                .to_owned()),
        })?;
        let link = link.unwrap_or(LinkKind::Mqtt);
        let usual = if link == LinkKind::Mqtt { "senml_json" } else { "cayenne_lpp" };
        let what = lang.pick("Its codec: a file, or one of these:", "解码方式：文件，或以下之一：");
        self.say(&format!("{what}\n  {}", device::codec_names().collect::<Vec<_>>().join("\n  ")))?;
        let codec = self.unless_empty(&format!("{} [{usual}]", lang.pick("Codec", "解码方式")), |text| {
            device::is_codec(text, Path::new(".")).then(|| text.to_owned()).ok_or_else(|| {
                lang.pick("there is no such codec and no such file", "没有此解码方式，也没有此文件").to_owned()
            })
        })?;
        let (mut qr, mut keys, mut dev_eui) = (None, None, None);
        if link == LinkKind::Lorawan {
            let question = lang.pick("Its QR code (LW:D0:…) or DevEUI", "设备二维码（LW:D0:…）或 DevEUI");
            let text = self.until(question, |text| match text.starts_with("LW:") {
                true => text.parse::<QrCode>().map(|_| text.to_owned()).map_err(|error| error.to_string()),
                false => hex_of(text, 16),
            })?;
            match text.parse::<QrCode>() {
                Ok(code) => qr = Some(code),
                Err(_) => dev_eui = Some(text),
            }
            let key = self.until("AppKey", |text| hex_of(text, 32))?;
            keys = Some(format!("app_key = \"{key}\"\n"));
        }
        let add = AddArgs {
            name: name.to_string(),
            link,
            codec: codec.unwrap_or_else(|| usual.to_owned()),
            keys: None,
            qr,
            dev_eui,
            join_eui: None,
            dev_addr: None,
            version: None,
            class: None,
            adr: false,
            topic: None,
            id: None,
        };
        Ok(Some(NewDevice { add, keys, outfall: None, base: PathBuf::from(".") }))
    }

    fn outfall(&mut self) -> Result<Option<NewOutfall>, CommandError> {
        let question = self.lang.pick("File with the outfall's dossier [later]", "排口档案文件 [以后再录]");
        let dossier =
            self.unless_empty(question, |text| outfall::one(Path::new(text)).map_err(|error| control::chain(&error)))?;
        Ok(dossier.map(|dossier| NewOutfall { dossier, reason: REASON.to_owned() }))
    }

    fn show(&mut self, answers: &Answers) -> Result<(), CommandError> {
        let lang = self.lang;
        self.say(&format!("\n  {}  {}", lang.pick("box", "站名"), answers.name))?;
        for platform in &answers.platforms {
            self.say(&format!("  {}  {}", lang.pick("platform", "平台"), platform.url))?;
        }
        for device in &answers.devices {
            let link = if device.add.link == LinkKind::Mqtt { "MQTT" } else { "LoRaWAN" };
            let AddArgs { name, codec, .. } = &device.add;
            self.say(&format!("  {}  {name} · {link} · {codec}", lang.pick("sensor", "传感器")))?;
        }
        if let Some(outfall) = &answers.outfall {
            self.say(&format!("  {}  {}", lang.pick("outfall", "排口"), outfall.dossier.code))?;
        }
        Ok(())
    }

    fn say(&mut self, text: &str) -> Result<(), CommandError> {
        writeln!(self.output, "{text}").and_then(|()| self.output.flush()).map_err(CommandError::output)
    }

    /// The answer to a question; empty if it is Enter alone.
    fn line(&mut self, question: &str) -> Result<String, SetupError> {
        write!(self.output, "{question}: ").and_then(|()| self.output.flush()).map_err(SetupError::Terminal)?;
        let mut text = String::new();
        let read = io::Read::take(&mut self.input, ANSWER_BYTES_MAX).read_line(&mut text);
        match read.map_err(SetupError::Terminal)? {
            0 => Err(SetupError::NoAnswer),
            _ => Ok(text.trim().to_owned()),
        }
    }

    /// Asks until the answer can be.
    fn until<T>(&mut self, question: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, CommandError> {
        for _ in 0..TRIES {
            let text = self.line(question)?;
            match parse(&text) {
                Ok(answer) => return Ok(answer),
                Err(why) => self.say(&format!("! {}", self.lang.told(&why)))?,
            }
        }
        Err(SetupError::TooManyTries { question: question.to_owned(), tries: TRIES }.into())
    }

    /// The same, where Enter alone is an answer.
    fn unless_empty<T>(
        &mut self,
        question: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, CommandError> {
        self.until(question, |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) })
    }
}

/// Hex digits as people copy them from a label, `digits` of them.
fn hex_of(text: &str, digits: usize) -> Result<String, String> {
    let text: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | ':')).collect();
    match text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_lowercase()),
        false => Err(format!("{digits} hex digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<T>(typed: &str, ask: impl FnOnce(&mut Asker<&[u8], Vec<u8>>) -> T) -> (T, String) {
        let mut asker = Asker { input: typed.as_bytes(), output: Vec::new(), lang: Lang::En };
        let answer = ask(&mut asker);
        (answer, String::from_utf8(asker.output).unwrap())
    }

    #[test]
    fn a_slip_is_asked_again_and_never_for_ever() {
        let digits = |text: &str| hex_of(text, 4);
        let (answer, said) = asked("12\n12:AB\n", |asker| asker.until("key", digits));
        assert_eq!((answer.unwrap().as_str(), said.as_str()), ("12ab", "key: ! 4 hex digits\nkey: "));
        let (answer, _) = asked(&"x\n".repeat(9), |asker| asker.until("key", digits));
        assert!(answer.unwrap_err().to_string().contains("5 times"));
        let (answer, _) = asked("", |asker| asker.until("key", digits));
        assert!(answer.unwrap_err().to_string().contains("nobody answers"));
    }

    #[test]
    fn lines_fit_into_80_columns() {
        let known = Known { name: None, has_devices: false, platforms: Vec::new() };
        for lang in [Lang::En, Lang::Zh] {
            let typed =
                "\n\n\n\n\nbox-1\n\nlevel-1\nl\n\n00-11-22-33-44-55-66-77\n2b7e151628aed2a6abf7158809cf4f3c\n\n\n";
            let mut asker = Asker { input: typed.as_bytes(), output: Vec::new(), lang };
            assert!(asker.until("x", |text| if text.is_empty() { Err(String::new()) } else { Ok(()) }).is_err());
            let dir = Path::new("/nonexistent");
            let site = Site {
                config_dir: dir,
                state_dir: dir,
                run_dir: dir,
                units: super::super::units::Units::ByHand,
                patience: std::time::Duration::ZERO,
            };
            let answers = asker.all(&site, &known).unwrap().unwrap();
            assert_eq!(answers.devices[0].add.dev_eui.as_deref(), Some("0011223344556677"));
            // Whoever types ends the line of a question.
            let said = String::from_utf8(asker.output).unwrap().replace(": ", ":\n");
            let wide: Vec<&str> = said.lines().filter(|line| crate::output::width(line) > 80).collect();
            assert_eq!(wide, Vec::<&str>::new());
        }
    }
}
