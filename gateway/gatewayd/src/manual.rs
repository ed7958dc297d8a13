//! What people enter by hand over the control socket.

use control::Uid;
use record::dossier::{Few, Words};
use record::{
    Actor, AttachedFile, Decimal, Detection, Entry, ManualSample, OutfallCode, PatrolState, Quantity, Replaced, Seq,
    Unit, UnixMs,
};
use serde::Deserialize;
use serde_json::Value;

/// `{"do":"enter","what":"sample","outfall":CODE,"at_ms":MS,"person":NAME,"values":[{"quantity":"cod","value":"35.2"}], ...}`, or
/// `"what":"patrol"` with `"finding":TEXT`. Who types it the kernel says, whatever the request does.
#[derive(Debug)]
pub(crate) struct Entering {
    pub(crate) entry: Entry,
    pub(crate) what: What,
}

/// What is entered.
#[derive(Debug)]
pub(crate) enum What {
    /// `"values":[...]`, `"laboratory"`, `"number"`, `"note"`.
    Sample {
        values: Vec<TypedValue>,
        laboratory: Option<Words<200>>,
        number: Option<Words<64>>,
        note: Option<Words<1000>>,
    },
    /// `"finding"`, `"state"`.
    Patrol { finding: Words<1000>, state: Option<PatrolState> },
}

/// `{"quantity":"nh3_n","value":"0.025","detection":"below_limit","unit":"mg/L","method":"HJ 535-2009"}`; the last three may be
/// left out.
#[derive(Debug)]
pub(crate) struct TypedValue {
    pub(crate) quantity: Quantity,
    pub(crate) value: Decimal,
    pub(crate) detection: Detection,
    /// As typed; which one it is to be is registered.
    pub(crate) unit: Option<Unit>,
    pub(crate) method: Option<Words<100>>,
}

impl Entering {
    /// Reads a request.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(request: &Value, uid: Uid) -> Result<Entering, String> {
        let by = Actor::User(uid.ok_or("the kernel does not say who asks")?);
        let what = match request["what"].as_str() {
            Some("sample") => sample(request)?,
            Some("patrol") => patrol(request)?,
            _ => return Err("`what` is not sample or patrol".into()),
        };
        let outfall = request["outfall"].as_str().ok_or("`outfall` is missing: give its code")?;
        let outfall = OutfallCode::new(outfall).map_err(|error| error.to_string())?;
        let at_ms = request["at_ms"].as_i64().map(UnixMs).ok_or("`at_ms` is missing: say when it was")?;
        let person = words(request, "person", "--by")?.ok_or("nobody is named who was there · try: --by NAME")?;
        let files = request["files"].as_array().map_or(&[][..], Vec::as_slice);
        let files = files.iter().map(file).collect::<Result<_, _>>()?;
        let files = Few::new(files).map_err(|error| format!("--file: {error}"))?;
        let replaces = replaces(request)?;
        Ok(Entering { entry: Entry { outfall, at_ms, person, by, files, replaces }, what })
    }
}

fn sample(request: &Value) -> Result<What, String> {
    let values = request["values"].as_array().filter(|values| !values.is_empty());
    let values = values.ok_or("a sample has no value · try: --value cod=35.2")?;
    if values.len() > ManualSample::VALUES_MAX {
        return Err(format!("a sample has at most {} values · try: several entries", ManualSample::VALUES_MAX));
    }
    let mut values = values.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    values.sort_by(|one, other| one.quantity.cmp(&other.quantity));
    if let Some(twice) = values.windows(2).find(|pair| pair[0].quantity == pair[1].quantity) {
        return Err(format!("{} is there twice · try: parallel samples as entries of their own", twice[0].quantity));
    }
    let laboratory = words(request, "laboratory", "--lab")?;
    Ok(What::Sample {
        values,
        laboratory,
        number: words(request, "number", "--number")?,
        note: words(request, "note", "--note")?,
    })
}

fn patrol(request: &Value) -> Result<What, String> {
    let finding =
        words(request, "finding", "--finding")?.ok_or("a patrol found nothing to say · try: --finding TEXT")?;
    let state =
        Option::<PatrolState>::deserialize(&request["state"]).map_err(|_| "`state` is no state of an outfall")?;
    Ok(What::Patrol { finding, state })
}

fn value(of: &Value) -> Result<TypedValue, String> {
    let quantity = of["quantity"].as_str().ok_or("a value does not say of what")?;
    let quantity = Quantity::new(quantity).map_err(|error| error.to_string())?;
    let number = of["value"].as_str().ok_or_else(|| format!("{quantity} has no value"))?;
    let value = Decimal::parse(number).map_err(|error| format!("{quantity}: {error} · try: {quantity}=35.2"))?;
    let detection = match of.get("detection").filter(|detection| !detection.is_null()) {
        None => Detection::Found,
        Some(detection) => Detection::deserialize(detection).map_err(|error| format!("{quantity}: {error}"))?,
    };
    if detection == Detection::BelowLimit && value.mantissa() <= 0 {
        return Err(format!("{quantity}: a detection limit is above zero · try: '{quantity}=<0.025'"));
    }
    let unit = of["unit"].as_str().map(Unit::new).transpose().map_err(|error| format!("{quantity}: {error}"))?;
    Ok(TypedValue { value, detection, unit, method: words(of, "method", "--method")?, quantity })
}

fn file(of: &Value) -> Result<AttachedFile, String> {
    let name = words(of, "name", "--file")?.ok_or("a file has no name")?;
    let mut sha256 = [0; 32];
    let digits = of["sha256"].as_str().unwrap_or_default();
    hex::decode_to_slice(digits, &mut sha256).map_err(|_| format!("file {name}: `sha256` is not 64 hex digits"))?;
    Ok(AttachedFile { name, sha256 })
}

fn replaces(request: &Value) -> Result<Option<Replaced>, String> {
    let Some(seq) = request.get("replaces").filter(|seq| !seq.is_null()) else { return Ok(None) };
    let seq = seq.as_u64().map(Seq).ok_or("`replaces` is not the number of a record")?;
    let reason = words(request, "reason", "--reason")?;
    let reason = reason.ok_or("an entry is not replaced without a reason · try: the same with --reason TEXT")?;
    Ok(Some(Replaced { seq, reason }))
}

/// A text that may be left out; in an error it is called as it is typed.
fn words<const BYTES_MAX: usize>(of: &Value, key: &str, option: &str) -> Result<Option<Words<BYTES_MAX>>, String> {
    let Some(text) = of.get(key).filter(|text| !text.is_null()) else { return Ok(None) };
    let text = text.as_str().ok_or_else(|| format!("`{key}` is no text"))?;
    Words::new(text).map(Some).map_err(|error| format!("{option}: {error}"))
}
