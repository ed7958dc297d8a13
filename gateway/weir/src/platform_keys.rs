//! `weir platform revoke`: a box's key proves nothing any more. `weir platform rotate`: the platform gets another key.

use std::fs;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use batch::BoxId;
use record::UnixMs;
use serde_json::json;

use crate::cli::{PlatformRotateArgs, RevokeArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;

/// Revokes the key beside the running platform, and gives the signed word of it to whoever has to know.
pub(crate) fn revoke(args: &RevokeArgs, lang: Lang) -> Result<Exit, CommandError> {
    let config = platform::Config::load(&args.config).map_err(CommandError::PlatformConfig)?;
    let box_id = BoxId::new(&args.box_id).map_err(|error| CommandError::BadName(error.to_string()))?;
    let now = now();
    let from = args.from.map_or(now, |from| UnixMs(from.as_millisecond()));
    let revoked = platform::revoke(&config, &box_id, args.key, from, now, args.reason.trim());
    let (says, cose) = revoked.map_err(CommandError::Revoke)?;
    if let Some(path) = &args.out {
        fs::write(path, &cose).map_err(|source| CommandError::Write { path: path.clone(), source })?;
    }
    let mut out = output::stdout();
    let statement = hex::encode(&cose);
    let text = match args.json {
        true => json!({
            "box": says.box_id, "key": says.key, "from_ms": says.from_ms, "reason": says.reason, "statement": statement,
        })
        .to_string(),
        false => {
            let told = format!(
                "{} {} · {} · {} {}",
                says.box_id,
                says.key,
                lang.pick("revoked: nothing more is taken that it signs", "已吊销：不再接收其签名的数据"),
                lang.pick("from", "自"),
                output::time(says.from_ms),
            );
            match &args.out {
                Some(path) => format!(
                    "{told}\n# weir verify FILE --key HEX --platform {}=HEX --revoked {}",
                    says.platform,
                    path.display()
                ),
                None => format!("{told}\n{statement}"),
            }
        }
    };
    output::line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Makes the platform's next key, and says what is to be done: start the platform again.
pub(crate) fn rotate(args: &PlatformRotateArgs, lang: Lang) -> Result<Exit, CommandError> {
    let config = platform::Config::load(&args.config).map_err(CommandError::PlatformConfig)?;
    let change = platform::rotate(&config, now(), args.reason.trim()).map_err(CommandError::PlatformRotation)?;
    let mut out = output::stdout();
    let text = match args.json {
        true => json!({
            "platform": config.name, "former": change.old, "key": change.new, "number": change.number,
        })
        .to_string(),
        false => format!(
            "{} {}\n{}",
            lang.pick("the platform's next key:", "平台新密钥："),
            change.new,
            lang.pick(
                "It signs from the platform's next start on: restart it now. Boxes learn it by the old key's word.",
                "请重启平台，新密钥随即生效；各站点凭旧密钥的签名自动获知。"
            ),
        ),
    };
    output::line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
