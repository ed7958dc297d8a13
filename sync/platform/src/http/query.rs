//! Parameters of a question: from text to types, or a refusal that names the parameter.

use std::str::FromStr;

use axum::extract::Query;
use axum::http::Uri;
use batch::BoxId;
use record::{Period, Seq, UnixMs};
use serde::Deserialize;

use super::refusal::{Code, Refusal};
use crate::store::{AggregatesQuery, ReadingsQuery};

/// Lines of a page where `limit` is not given.
const LIMIT_DEFAULT: usize = 1000;
/// Most lines of a page: some two megabytes.
const LIMIT_MAX: usize = 10_000;

/// How readings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// RFC 4180, with a header line.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingsParams {
    source: Option<String>,
    quantity: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after_seq: Option<String>,
    limit: Option<String>,
    current: Option<String>,
    format: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageParams {
    after: Option<String>,
    limit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AggregatesParams {
    source: Option<String>,
    quantity: Option<String>,
    period: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after_seq: Option<String>,
    limit: Option<String>,
}

/// `source quantity from to after_seq limit current format`, all optional.
pub(super) fn readings(uri: &Uri) -> Result<(ReadingsQuery, Format), Refusal> {
    let params: ReadingsParams = params(uri)?;
    let query = ReadingsQuery {
        source: named("source", params.source)?,
        quantity: named("quantity", params.quantity)?,
        from: number("from", params.from)?.map(UnixMs),
        to: number("to", params.to)?.map(UnixMs),
        after_seq: number("after_seq", params.after_seq)?.map(Seq),
        current: match params.current.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Refusal::new(Code::BadQuery, "parameter current: it is true or false")),
        },
        limit: limit(params.limit)?,
    };
    let format = match params.format.as_deref() {
        None | Some("csv") => Format::Csv,
        Some("jsonl") => Format::Jsonl,
        Some(_) => return Err(Refusal::new(Code::BadQuery, "parameter format: it is csv or jsonl")),
    };
    Ok((query, format))
}

/// `source quantity period from to after_seq limit`, all optional.
pub(super) fn aggregates(uri: &Uri) -> Result<AggregatesQuery, Refusal> {
    let params: AggregatesParams = params(uri)?;
    Ok(AggregatesQuery {
        source: named("source", params.source)?,
        quantity: named("quantity", params.quantity)?,
        period: named::<Period>("period", params.period)?,
        from: number("from", params.from)?.map(UnixMs),
        to: number("to", params.to)?.map(UnixMs),
        after_seq: number("after_seq", params.after_seq)?.map(Seq),
        limit: limit(params.limit)?,
    })
}

/// The query string of the page after a record: the same question, further on.
pub(super) fn readings_after(query: &ReadingsQuery, format: Format, next: u64) -> String {
    let asked = [
        ("source", query.source.as_ref().map(ToString::to_string)),
        ("quantity", query.quantity.as_ref().map(ToString::to_string)),
        ("from", query.from.map(|from| from.to_string())),
        ("to", query.to.map(|to| to.to_string())),
        ("current", query.current.then(|| "true".to_owned())),
        ("format", Some(if format == Format::Csv { "csv".to_owned() } else { "jsonl".to_owned() })),
    ];
    further(next, query.limit, &asked)
}

/// Likewise.
pub(super) fn aggregates_after(query: &AggregatesQuery, next: u64) -> String {
    let asked = [
        ("source", query.source.as_ref().map(ToString::to_string)),
        ("quantity", query.quantity.as_ref().map(ToString::to_string)),
        ("period", query.period.map(|period| period.to_string())),
        ("from", query.from.map(|from| from.to_string())),
        ("to", query.to.map(|to| to.to_string())),
    ];
    further(next, query.limit, &asked)
}

/// Names and numbers of these types need no escape.
fn further(next: u64, limit: usize, asked: &[(&str, Option<String>)]) -> String {
    let asked = asked.iter().filter_map(|(name, value)| Some(format!("&{name}={}", value.as_ref()?)));
    asked.fold(format!("?after_seq={next}&limit={limit}"), |text, asked| text + &asked)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeParams {
    size: Option<String>,
}

/// `size`, optional.
pub(super) fn size(uri: &Uri) -> Result<Option<u64>, Refusal> {
    let params: SizeParams = params(uri)?;
    number("size", params.size)
}

/// `after limit`, both optional.
pub(super) fn page(uri: &Uri) -> Result<(Option<u64>, usize), Refusal> {
    let params: PageParams = params(uri)?;
    Ok((number("after", params.after)?, limit(params.limit)?))
}

/// A record's number in the path.
pub(super) fn seq(text: &str) -> Result<Seq, Refusal> {
    text.parse().map(Seq).map_err(|error| Refusal::new(Code::NotFound, format!("`{text}` is no record: {error}")))
}

/// A box of the path. One that is not enrolled may still have data here.
pub(super) fn box_id(text: &str) -> Result<BoxId, Refusal> {
    BoxId::new(text).map_err(|error| Refusal::caused(Code::NotFound, &error))
}

fn params<T: for<'de> Deserialize<'de>>(uri: &Uri) -> Result<T, Refusal> {
    let params = Query::<T>::try_from_uri(uri).map_err(|error| Refusal::caused(Code::BadQuery, &error))?;
    Ok(params.0)
}

fn named<T: FromStr<Err: std::error::Error>>(name: &str, text: Option<String>) -> Result<Option<T>, Refusal> {
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|error: T::Err| Refusal::new(Code::BadQuery, format!("parameter {name}: {error}")))
}

fn number<T: FromStr<Err = std::num::ParseIntError>>(name: &str, text: Option<String>) -> Result<Option<T>, Refusal> {
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|error| Refusal::new(Code::BadQuery, format!("parameter {name}: {error}")))
}

fn limit(text: Option<String>) -> Result<usize, Refusal> {
    let limit = number("limit", text)?.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Refusal::new(Code::BadQuery, format!("parameter limit: it is 1 to {LIMIT_MAX}")));
    }
    Ok(limit)
}
