//! What a self-test came to, in words.

use std::io::Write;
use std::time::Duration;

use record::TestPort;
use serde_json::{Value, json};

use super::{Outcome, Tested, Upload};
use crate::error::CommandError;
use crate::lang::Lang;
use crate::output::{self, age, line, table};

/// Says it, and what to do where something is not well.
pub(super) fn print(tested: &Tested, json: bool, lang: Lang) -> Result<(), CommandError> {
    let mut out = output::stdout();
    if json {
        line(&mut out, &facts(tested).to_string())?;
    } else {
        let heading = lang.pick(
            "A test frame was sent as sensors send theirs. It is marked as a test, and no measurement.",
            "已按传感器的方式发送一帧测试数据；它标记为测试，不是监测数据。",
        );
        line(&mut out, heading)?;
        table(&mut out, &rows(tested, lang))?;
        for wrong in complaints(tested, lang) {
            line(&mut out, &format!("! {}", lang.told(&wrong)))?;
        }
    }
    out.flush().map_err(CommandError::output)
}

/// For programs.
pub(crate) fn facts(tested: &Tested) -> Value {
    let Tested { seq, port, stored_in, upload } = tested;
    let (platforms, error) = match upload {
        Upload::Silent(why) => (Vec::new(), Some(why)),
        Upload::Platforms(all) => {
            let each = all.iter().map(|platform| match &platform.outcome {
                Outcome::Receipt(after) => json!({ "name": platform.name, "receipt": true, "ms": ms(*after) }),
                Outcome::Refused => json!({ "name": platform.name, "receipt": false, "error": "refused" }),
                Outcome::Late(why) => json!({ "name": platform.name, "receipt": false, "error": why }),
            });
            (each.collect(), None)
        }
    };
    json!({
        "ok": tested.is_well(), "seq": seq, "port": port.as_str(), "stored_ms": ms(*stored_in), "platforms": platforms,
        "upload_error": error,
    })
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One row for the journal, and one for each platform.
pub(crate) fn rows(tested: &Tested, lang: Lang) -> Vec<Vec<String>> {
    let by = match tested.port {
        TestPort::Mqtt => lang.pick("stored, came by MQTT", "已存储，经 MQTT 收到"),
        TestPort::Control => lang.pick("stored, came by the control socket", "已存储，经控制套接字收到"),
    };
    let record = format!("{by} · {} {}", lang.pick("record", "记录"), tested.seq);
    let mut rows = vec![vec![lang.pick("journal", "日志").to_owned(), record, age(ms(tested.stored_in))]];
    if let Upload::Platforms(all) = &tested.upload {
        rows.extend(all.iter().map(|platform| {
            let (what, took) = match &platform.outcome {
                Outcome::Receipt(after) => (lang.pick("receipt", "已有回执"), age(ms(*after))),
                Outcome::Refused => (lang.pick("refused", "被拒收"), "-".into()),
                Outcome::Late(_) => (lang.pick("no receipt yet", "尚无回执"), "-".into()),
            };
            vec![platform.name.clone(), what.to_owned(), took]
        }));
    }
    rows
}

/// What is not well, with the next command.
pub(crate) fn complaints(tested: &Tested, lang: Lang) -> Vec<String> {
    match &tested.upload {
        Upload::Silent(why) => vec![why.clone()],
        Upload::Platforms(all) if all.is_empty() => {
            let none = lang.pick("the upload daemon knows no platform", "上传服务未配置任何平台");
            vec![format!("{none} · try: sudo weir identity enroll URL CODE")]
        }
        Upload::Platforms(all) => {
            let wrong = all.iter().filter_map(|platform| match &platform.outcome {
                Outcome::Receipt(_) => None,
                Outcome::Refused => Some(format!("{} · try: weir sync parked", platform.name)),
                Outcome::Late(Some(why)) => Some(format!("{}: {why}", platform.name)),
                Outcome::Late(None) => Some(format!("{} · try: weir status, weir doctor", platform.name)),
            });
            wrong.collect()
        }
    }
}
