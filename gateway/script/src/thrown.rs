//! Why a run ended, from the exception it left.

use rquickjs::{Ctx, Error, Function};

use crate::MESSAGE_CHARS_MAX;
use crate::budget::Budget;
use crate::engine::{CODEC, Js, WEIR, sloppy};
use crate::error::Fault;

/// What the engine throws at its walls. A codec that throws the same words deceives only itself.
const OUT_OF_MEMORY: [&str; 2] = ["InternalError: out of memory", "InternalError: string too long"];
const STACK_OVERFLOW: [&str; 2] = ["RangeError: Maximum call stack size exceeded", "InternalError: stack overflow"];

/// The cause of an error; takes the exception from the engine.
pub(crate) fn fault(ctx: &Ctx<'_>, budget: &Budget, error: &Error) -> Fault {
    let thrown = ctx.catch();
    match error {
        _ if budget.is_spent() => return Fault::TimedOut,
        // With no room for an error object the engine throws null.
        Error::Exception if thrown.is_null() => return Fault::OutOfMemory,
        Error::Allocation => return Fault::OutOfMemory,
        Error::Exception | Error::Unknown => {}
        // A value of another type than asked for: only a codec that puts its own in place of built-in ones gets here.
        other => return Fault::Threw { message: other.to_string().chars().take(MESSAGE_CHARS_MAX).collect() },
    }
    let message = message(ctx, &thrown).unwrap_or_else(|_| {
        ctx.catch();
        "what cannot be shown".to_owned()
    });
    let begins = |word: &&str| message.starts_with(word);
    if budget.is_spent() {
        Fault::TimedOut // also if only the message was endless
    } else if OUT_OF_MEMORY.iter().any(begins) {
        Fault::OutOfMemory
    } else if STACK_OVERFLOW.iter().any(begins) {
        Fault::StackOverflow
    } else {
        Fault::Threw { message }
    }
}

/// What was thrown, as `Name: message at line`, shortened.
fn message<'js>(ctx: &Ctx<'js>, thrown: &Js<'js>) -> rquickjs::Result<String> {
    let text = |value: Js<'js>| -> rquickjs::Result<String> {
        Ok(value.into_string().map(|text| text.to_string()).transpose()?.unwrap_or_default())
    };
    let shown = match thrown.as_object() {
        Some(error) if thrown.is_error() => {
            let (name, message) = (text(error.get("name")?)?, text(error.get("message")?)?);
            let line = line(&text(error.get("stack")?)?).map_or_else(String::new, |line| format!(" (line {line})"));
            format!("{name}: {message}{line}")
        }
        _ => {
            let string: Function<'js> = sloppy(ctx, WEIR, "String")?;
            string.call::<_, String>((thrown.clone(),))?
        }
    };
    Ok(shown.chars().take(MESSAGE_CHARS_MAX).collect())
}

/// The codec's line in a stack trace: `    at decodeUplink (codec:12:7)`.
fn line(stack: &str) -> Option<&str> {
    let (_, after) = stack.split_once(CODEC)?;
    after.split(':').nth(1).filter(|line| line.bytes().all(|byte| byte.is_ascii_digit()))
}
