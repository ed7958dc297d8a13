//! From what a codec returned to data. Reading runs the codec again where the result has getters, proxies or `toJSON`.

use rquickjs::function::This;
use rquickjs::{Error, Object, Type};

use crate::engine::{Helpers, Js};
use crate::error::Fault;
use crate::value::Value;
use crate::{OUTPUT_BYTES_MAX, OUTPUT_DEPTH_MAX, number};

/// What each item of a result counts beside its text, in bytes.
const ITEM_BYTES: usize = 2;

/// Why reading stopped: the codec's doing (a getter, a proxy), or the result's size.
pub(crate) enum Stop {
    Script(Error),
    Fault(Fault),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Script(error)
    }
}

/// Reads a result as `JSON.stringify` would, except that what JSON lacks is kept.
pub(crate) struct Reader<'a, 'js> {
    helpers: &'a Helpers<'js>,
    bytes_left: usize,
}

impl<'a, 'js> Reader<'a, 'js> {
    pub(crate) fn new(helpers: &'a Helpers<'js>) -> Reader<'a, 'js> {
        Reader { helpers, bytes_left: OUTPUT_BYTES_MAX }
    }

    fn take(&mut self, bytes: usize) -> Result<(), Stop> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(Stop::Fault(Fault::OutputTooLarge))?;
        Ok(())
    }

    /// The value, at this depth of the result.
    pub(crate) fn read(&mut self, value: &Js<'js>, depth: usize) -> Result<Value, Stop> {
        self.take(ITEM_BYTES)?;
        Ok(match value.type_of() {
            Type::Null => Value::Null,
            Type::Bool => Value::Bool(value.as_bool() == Some(true)),
            Type::Int | Type::Float => match value.as_number() {
                None => Value::Undefined,
                Some(number) => number::text(number).map_or_else(|| not_finite(number), Value::Number),
            },
            Type::String => Value::Text(self.text(value)?),
            Type::Uninitialized
            | Type::Undefined
            | Type::BigInt
            | Type::Symbol
            | Type::Function
            | Type::Constructor => Value::Undefined,
            _ if depth == OUTPUT_DEPTH_MAX => return Err(Stop::Fault(Fault::OutputTooDeep)),
            _ => match value.as_object() {
                Some(object) if value.is_array() => self.array(object, depth)?,
                Some(object) => self.object(object, depth)?,
                None => Value::Undefined,
            },
        })
    }

    /// By its `length` as any list-like: that of a proxy may be anything, and the result's limit ends what is too long.
    fn array(&mut self, array: &Object<'js>, depth: usize) -> Result<Value, Stop> {
        let length = array.get::<_, Js<'js>>("length")?.as_number().unwrap_or(0.0);
        let mut items = Vec::new();
        for place in (0u32..).take_while(|place| f64::from(*place) < length) {
            items.push(self.read(&array.get(place)?, depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    /// Dates and whatever else has a `toJSON` are read as what that returns.
    fn object(&mut self, object: &Object<'js>, depth: usize) -> Result<Value, Stop> {
        if let Some(to_json) = object.get::<_, Js<'js>>("toJSON")?.into_function() {
            let json: Js<'js> = to_json.call((This(object.clone()), ""))?;
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
