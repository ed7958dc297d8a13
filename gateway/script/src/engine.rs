//! One call's engine: limits first, then the prelude, then the codec.

use std::cell::Cell;
use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::function::Args;
use rquickjs::{Array, BigInt, Context, Ctx, Error, FromJs, Function, Object, Runtime, Type};

use crate::error::{Fault, ScriptError};
use crate::script::{Entry, Uplink};
use crate::value::Value;
use crate::{
    HEAP_BYTES_MAX, MESSAGE_CHARS_MAX, OUTPUT_BYTES_MAX, OUTPUT_DEPTH_MAX, STACK_BYTES_MAX, STEPS_MAX, number,
};

/// Walls of JavaScript: counted natives, a fixed clock, no randomness.
const PRELUDE: &str = include_str!("prelude.js");

/// Node's `Buffer`, only for codecs that name it: others need not wait for it.
const BUFFER: &str = include_str!("buffer.js");

/// Units of the prelude in one step: 32,768 elements or 512 KiB of text take about as long as 10,000 rounds of a loop.
const UNITS_PER_STEP: f64 = 32_768.0;

/// What each item of a result counts beside its text, in bytes.
const ITEM_BYTES: usize = 2;

type Js<'js> = rquickjs::Value<'js>;

/// A runtime with its limits set, used for one call and dropped.
pub(crate) struct Engine {
    budget: Rc<Budget>,
    context: Context,
    now_ms: i64,
}

/// What a source defines.
pub(crate) struct Found {
    pub(crate) entry: Option<Entry>,
    pub(crate) encodes: bool,
}

/// The steps of one call, counted by the engine's interrupt handler and by the prelude.
#[derive(Default)]
struct Budget {
    steps: Cell<f64>,
}

impl Budget {
    fn spend(&self, steps: f64) -> bool {
        self.steps.set(self.steps.get() + steps);
        self.is_spent()
    }

    fn is_spent(&self) -> bool {
        self.steps.get() > f64::from(STEPS_MAX)
    }
}

/// The prelude's own functions, out of the codec's reach.
struct Helpers<'js> {
    date: Function<'js>,
    well_formed: Function<'js>,
}

impl Engine {
    pub(crate) fn new(now_ms: i64) -> Result<Engine, Fault> {
        let runtime = Runtime::new().map_err(|_| Fault::OutOfMemory)?;
        runtime.set_memory_limit(HEAP_BYTES_MAX);
        runtime.set_max_stack_size(STACK_BYTES_MAX);
        let budget = Rc::new(Budget::default());
        let counted = Rc::clone(&budget);
        runtime.set_interrupt_handler(Some(Box::new(move || counted.spend(1.0))));
        let context = Context::full(&runtime).map_err(|_| Fault::OutOfMemory)?;
        Ok(Engine { budget, context, now_ms })
    }

    /// Runs what stands outside of the functions, and looks which there are.
    pub(crate) fn load(self, source: &str) -> Result<Found, ScriptError> {
        self.context.with(|ctx| {
            self.prelude(&ctx, source).map_err(|error| ScriptError::Load(self.fault(&ctx, &error)))?;
            if let Err(error) = sloppy::<()>(&ctx, source) {
                return Err(self.load_error(&ctx, &error));
            }
            let defined = |name| function(&ctx, name).map(|found| found.is_some());
            let found = || -> rquickjs::Result<Found> {
                for entry in Entry::ALL {
                    if defined(entry.name())? {
                        return Ok(Found { entry: Some(entry), encodes: defined("encodeDownlink")? });
                    }
                }
                Ok(Found { entry: None, encodes: false })
            };
            found().map_err(|error| ScriptError::Load(self.fault(&ctx, &error)))
        })
    }

    /// What the decoder returns.
    pub(crate) fn decode(self, source: &str, entry: Entry, uplink: &Uplink<'_>) -> Result<Value, Fault> {
        self.call(source, entry.name(), |ctx, helpers, args| {
            let bytes = uplink.bytes.to_vec();
            match entry {
                Entry::DecodeUplink => {
                    let input = Object::new(ctx.clone())?;
                    input.set("bytes", bytes)?;
                    input.set("fPort", uplink.f_port)?;
                    input.set("recvTime", helpers.date.call::<_, Js<'_>>((milliseconds(uplink.recv_time_ms),))?)?;
                    args.push_arg(input)
                }
                Entry::Decode => {
                    args.push_arg(uplink.f_port)?;
                    args.push_arg(bytes)?;
                    args.push_arg(Object::new(ctx.clone())?)
                }
                Entry::Decoder => {
                    args.push_arg(bytes)?;
                    args.push_arg(uplink.f_port)
                }
            }
        })
    }

    /// What `encodeDownlink` returns.
    pub(crate) fn encode(self, source: &str, data: &Value) -> Result<Value, Fault> {
        self.call(source, "encodeDownlink", |ctx, _, args| {
            let input = Object::new(ctx.clone())?;
            input.set("data", to_js(ctx, data)?)?;
            args.push_arg(input)
        })
    }

    fn call(
        self,
        source: &str,
        name: &str,
        arguments: impl for<'js> FnOnce(&Ctx<'js>, &Helpers<'js>, &mut Args<'js>) -> rquickjs::Result<()>,
    ) -> Result<Value, Fault> {
        self.context.with(|ctx| {
            let run = || -> Result<Value, Stop> {
                let helpers = self.prelude(&ctx, source)?;
                sloppy::<()>(&ctx, source)?;
                // Compiling the same source found it; a codec that defines it only sometimes throws as if it called it.
                let function = function(&ctx, name)?
                    .ok_or_else(|| rquickjs::Exception::throw_reference(&ctx, &format!("{name} is not defined")))?;
                let mut args = Args::new(ctx.clone(), 3);
                arguments(&ctx, &helpers, &mut args)?;
                let returned = function.call_arg(args)?;
                let mut reader = Reader { helpers: &helpers, bytes_left: OUTPUT_BYTES_MAX };
                reader.read(&returned, 0)
            };
            run().map_err(|error| match error {
                Stop::Script(error) => self.fault(&ctx, &error),
                Stop::Fault(fault) => fault,
            })
        })
    }

    fn prelude<'js>(&self, ctx: &Ctx<'js>, source: &str) -> rquickjs::Result<Helpers<'js>> {
        let budget = Rc::clone(&self.budget);
        let spend = Function::new(ctx.clone(), move |units: f64| budget.spend(units / UNITS_PER_STEP))?;
        let helpers: Object<'js> = sloppy::<Function<'js>>(ctx, PRELUDE)?.call((milliseconds(self.now_ms), spend))?;
        if source.contains("Buffer") {
            sloppy::<Function<'js>>(ctx, BUFFER)?.call::<_, ()>(())?;
        }
        Ok(Helpers { date: helpers.get("date")?, well_formed: helpers.get("wellFormed")? })
    }

    fn load_error(&self, ctx: &Ctx<'_>, error: &Error) -> ScriptError {
        let fault = self.fault(ctx, error);
        match fault {
            Fault::Threw { message } if message.starts_with("SyntaxError") => ScriptError::Syntax { message },
            fault => ScriptError::Load(fault),
        }
    }

    /// The cause of an error, and the exception taken from the engine.
    fn fault(&self, ctx: &Ctx<'_>, error: &Error) -> Fault {
        let thrown = ctx.catch();
        if self.budget.is_spent() {
            return Fault::TimedOut;
        }
        if matches!(error, Error::Allocation) {
            return Fault::OutOfMemory;
        }
        let message = message(ctx, &thrown).unwrap_or_else(|_| {
            ctx.catch();
            "what cannot be shown".to_owned()
        });
        if self.budget.is_spent() {
            return Fault::TimedOut;
        }
        match message.as_str() {
            text if text.starts_with("InternalError: out of memory") => Fault::OutOfMemory,
            text if text.starts_with("RangeError: Maximum call stack size exceeded") => Fault::StackOverflow,
            text if text.starts_with("InternalError: stack overflow") => Fault::StackOverflow,
            _ => Fault::Threw { message },
        }
    }
}

/// Evaluates in sloppy mode, in the global scope.
fn sloppy<'js, V: FromJs<'js>>(ctx: &Ctx<'js>, source: &str) -> rquickjs::Result<V> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some("codec".to_owned());
    ctx.eval_with_options(source, options)
}

/// The function of this name, also if it is a `const` of the script and no property of the global object.
fn function<'js>(ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Option<Function<'js>>> {
    let value: Js<'js> = sloppy(ctx, &format!("typeof {name} === 'function' ? {name} : undefined"))?;
    Ok(value.into_function())
}

/// JavaScript's time: exact for 285,000 years around 1970.
#[allow(clippy::cast_precision_loss, reason = "beyond 2^53 ms JavaScript has no dates either")]
fn milliseconds(ms: i64) -> f64 {
    ms as f64
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
            let string: Function<'js> = sloppy(ctx, "String")?;
            string.call::<_, String>((thrown.clone(),))?
        }
    };
    Ok(shown.chars().take(MESSAGE_CHARS_MAX).collect())
}

/// The codec's line in a stack trace: `    at decodeUplink (codec:12:7)`.
fn line(stack: &str) -> Option<&str> {
    let (_, after) = stack.split_once("codec:")?;
    after.split(':').next().map(str::trim).filter(|line| line.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Why reading stopped: the codec's doing (a getter, a proxy), or the result's size.
enum Stop {
    Script(Error),
    Fault(Fault),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Script(error)
    }
}

/// Reads a result as `JSON.stringify` would, except that what JSON lacks is kept.
struct Reader<'a, 'js> {
    helpers: &'a Helpers<'js>,
    bytes_left: usize,
}

impl<'js> Reader<'_, 'js> {
    fn take(&mut self, bytes: usize) -> Result<(), Stop> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(Stop::Fault(Fault::OutputTooLarge))?;
        Ok(())
    }

    fn read(&mut self, value: &Js<'js>, depth: usize) -> Result<Value, Stop> {
        self.take(ITEM_BYTES)?;
        Ok(match value.type_of() {
            Type::Null => Value::Null,
            Type::Bool => Value::Bool(value.as_bool() == Some(true)),
            Type::Int | Type::Float => match value.as_number() {
                None => Value::Undefined,
                Some(number) => number::text(number).map_or_else(|| not_finite(number), Value::Number),
            },
            Type::BigInt => self.big_int(value)?,
            Type::String => Value::Text(self.text(value)?),
            Type::Uninitialized | Type::Undefined | Type::Symbol | Type::Function | Type::Constructor => {
                Value::Undefined
            }
            _ if depth == OUTPUT_DEPTH_MAX => return Err(Stop::Fault(Fault::OutputTooDeep)),
            _ => match (value.as_array(), value.as_object()) {
                (Some(array), _) => self.array(array, depth)?,
                (None, Some(object)) => self.object(object, depth)?,
                (None, None) => Value::Undefined,
            },
        })
    }

    fn array(&mut self, array: &Array<'js>, depth: usize) -> Result<Value, Stop> {
        let mut items = Vec::new();
        for place in 0..array.len() {
            items.push(self.read(&array.get(place)?, depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    /// Dates and whatever else has a `toJSON` are read as what that returns.
    fn object(&mut self, object: &Object<'js>, depth: usize) -> Result<Value, Stop> {
        if let Some(to_json) = object.get::<_, Js<'js>>("toJSON")?.into_function() {
            let json: Js<'js> = to_json.call((rquickjs::function::This(object.clone()), ""))?;
            return self.read(&json, depth + 1);
        }
        let mut members = Vec::new();
        for key in object.keys::<Js<'js>>() {
            let key = key?;
            let value: Js<'js> = object.get(key.clone())?;
            if matches!(value.type_of(), Type::Function | Type::Constructor | Type::Symbol) {
                continue;
            }
            members.push((self.text(&key)?, self.read(&value, depth + 1)?));
        }
        Ok(Value::Object(members))
    }

    /// Beyond 64 bits it is no measured value.
    fn big_int(&mut self, value: &Js<'js>) -> Result<Value, Stop> {
        let integer = value.clone().into_big_int().map(BigInt::to_i64).transpose()?;
        Ok(integer.map_or(Value::Undefined, |integer| Value::Number(integer.to_string())))
    }

    fn text(&mut self, value: &Js<'js>) -> Result<String, Stop> {
        let Some(string) = value.as_string() else { return Ok(String::new()) };
        let text = match string.to_string() {
            Ok(text) => text,
            Err(Error::Utf8(_)) => self.helpers.well_formed.call((string.clone(),))?,
            Err(error) => return Err(error.into()),
        };
        self.take(text.len())?;
        Ok(text)
    }
}

fn not_finite(number: f64) -> Value {
    Value::NotFinite(match number {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    })
}

fn to_js<'js>(ctx: &Ctx<'js>, value: &Value) -> rquickjs::Result<Js<'js>> {
    Ok(match value {
        Value::Undefined => Js::new_undefined(ctx.clone()),
        Value::Null => Js::new_null(ctx.clone()),
        Value::Bool(bool) => Js::new_bool(ctx.clone(), *bool),
        Value::Number(text) => Js::new_number(ctx.clone(), text.parse().unwrap_or(f64::NAN)),
        Value::NotFinite(text) => Js::new_number(ctx.clone(), text.parse().unwrap_or(f64::NAN)),
        Value::Text(text) => rquickjs::String::from_str(ctx.clone(), text)?.into_value(),
        Value::Array(items) => {
            let array = Array::new(ctx.clone())?;
            for (place, item) in items.iter().enumerate() {
                array.set(place, to_js(ctx, item)?)?;
            }
            array.into_value()
        }
        Value::Object(members) => {
            let object = Object::new(ctx.clone())?;
            for (key, member) in members {
                object.set(key.as_str(), to_js(ctx, member)?)?;
            }
            object.into_value()
        }
    })
}
