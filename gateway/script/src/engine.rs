//! One call's engine: limits first, then the prelude, then the codec.

use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::function::Args;
use rquickjs::{Context, Ctx, FromJs, Function, Object, Runtime};

use crate::argument::to_js;
use crate::budget::Budget;
use crate::error::{Fault, ScriptError};
use crate::result::{Reader, Stop};
use crate::script::{Entry, Uplink};
use crate::thrown::fault;
use crate::value::Value;
use crate::{HEAP_BYTES_MAX, STACK_BYTES_MAX};

/// Walls of JavaScript: counted natives, a fixed clock, no randomness.
const PRELUDE: &str = include_str!("prelude.js");

/// Node's `Buffer`, only for codecs that name it: others need not wait for it.
const BUFFER: &str = include_str!("buffer.js");

/// What stack traces call the codec.
pub(crate) const CODEC: &str = "codec";

/// What stack traces call our own parts.
pub(crate) const WEIR: &str = "weir";

/// A value that lives in the engine.
pub(crate) type Js<'js> = rquickjs::Value<'js>;

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

/// The prelude's own functions, out of the codec's reach.
pub(crate) struct Helpers<'js> {
    /// A `Date` of milliseconds.
    pub(crate) date: Function<'js>,
    /// A string with U+FFFD for half a surrogate pair.
    pub(crate) well_formed: Function<'js>,
}

impl Engine {
    pub(crate) fn new(now_ms: i64) -> Result<Engine, Fault> {
        let runtime = Runtime::new().map_err(|_| Fault::OutOfMemory)?;
        runtime.set_memory_limit(HEAP_BYTES_MAX);
        runtime.set_max_stack_size(STACK_BYTES_MAX);
        let budget = Rc::new(Budget::default());
        let counted = Rc::clone(&budget);
        runtime.set_interrupt_handler(Some(Box::new(move || counted.spend_step())));
        let context = Context::full(&runtime).map_err(|_| Fault::OutOfMemory)?;
        Ok(Engine { budget, context, now_ms })
    }

    /// Runs what stands outside of the functions, and looks which there are.
    pub(crate) fn load(self, source: &str) -> Result<Found, ScriptError> {
        self.context.with(|ctx| {
            self.prelude(&ctx, source).map_err(|error| ScriptError::Load(fault(&ctx, &self.budget, &error)))?;
            codec(&ctx, source).map_err(|error| match fault(&ctx, &self.budget, &error) {
                Fault::Threw { message } if message.starts_with("SyntaxError") => ScriptError::Syntax { message },
                fault => ScriptError::Load(fault),
            })?;
            let defined = |name| function(&ctx, name).map(|found| found.is_some());
            let found = || -> rquickjs::Result<Found> {
                for entry in Entry::ALL {
                    if defined(entry.name())? {
                        return Ok(Found { entry: Some(entry), encodes: defined("encodeDownlink")? });
                    }
                }
                Ok(Found { entry: None, encodes: false })
            };
            found().map_err(|error| ScriptError::Load(fault(&ctx, &self.budget, &error)))
        })
    }

    /// How a source ends that throws at its first statement, without a prelude. One that does not parse throws as well.
    pub(crate) fn run(self, source: &str) -> Fault {
        self.context.with(|ctx| match codec(&ctx, source) {
            Err(error) => fault(&ctx, &self.budget, &error),
            Ok(()) => Fault::Threw { message: "nothing".to_owned() },
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
                codec(&ctx, source)?;
                // Compiling the same source found it; a codec that defines it only sometimes throws as if it called it.
                let function = function(&ctx, name)?
                    .ok_or_else(|| rquickjs::Exception::throw_reference(&ctx, &format!("{name} is not defined")))?;
                let mut args = Args::new(ctx.clone(), 3);
                arguments(&ctx, &helpers, &mut args)?;
                let returned = function.call_arg(args)?;
                Reader::new(&helpers).read(&returned, 0)
            };
            run().map_err(|error| match error {
                Stop::Script(error) => fault(&ctx, &self.budget, &error),
                Stop::Fault(fault) => fault,
            })
        })
    }

    fn prelude<'js>(&self, ctx: &Ctx<'js>, source: &str) -> rquickjs::Result<Helpers<'js>> {
        let budget = Rc::clone(&self.budget);
        let spend = Function::new(ctx.clone(), move |units: f64| budget.spend_units(units))?;
        let helpers: Object<'js> =
            sloppy::<Function<'js>>(ctx, WEIR, PRELUDE)?.call((milliseconds(self.now_ms), spend))?;
        if source.contains("Buffer") {
            sloppy::<Function<'js>>(ctx, WEIR, BUFFER)?.call::<_, ()>(())?;
        }
        Ok(Helpers { date: helpers.get("date")?, well_formed: helpers.get("wellFormed")? })
    }
}

/// Runs what stands outside of the codec's functions. A NUL is legal in JavaScript, but ends a source for the engine.
fn codec(ctx: &Ctx<'_>, source: &str) -> rquickjs::Result<()> {
    sloppy(ctx, CODEC, &source.replace('\0', "\\u0000"))
}

/// Evaluates in sloppy mode, in the global scope; a stack trace calls it `name`.
pub(crate) fn sloppy<'js, V: FromJs<'js>>(ctx: &Ctx<'js>, name: &str, source: &str) -> rquickjs::Result<V> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(name.to_owned());
    ctx.eval_with_options(source, options)
}

/// The function of this name, also if it is a `const` of the script and no property of the global object.
fn function<'js>(ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Option<Function<'js>>> {
    let value: Js<'js> = sloppy(ctx, WEIR, &format!("typeof {name} === 'function' ? {name} : undefined"))?;
    Ok(value.into_function())
}

/// JavaScript's time: exact for 285,000 years around 1970.
#[allow(clippy::cast_precision_loss, reason = "beyond 2^53 ms JavaScript has no dates either")]
fn milliseconds(ms: i64) -> f64 {
    ms as f64
}
