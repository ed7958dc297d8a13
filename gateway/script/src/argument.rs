//! From data to what a codec is called with.

use rquickjs::{Array, Ctx, Object};

use crate::engine::Js;
use crate::value::Value;

/// The value in the engine; a number as the double nearest to its text.
pub(crate) fn to_js<'js>(ctx: &Ctx<'js>, value: &Value) -> rquickjs::Result<Js<'js>> {
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
