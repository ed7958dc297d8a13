//! Answers to readers. A long answer comes in pages: `Link: <...>; rel="next"` (RFC 8288) says where it goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use batch::{BatchId, CosignedCheckpoint};
use serde_json::json;

use super::query::{self, Format};
use super::refusal::{Code, Refusal};
use super::{App, COSE, TEXT};
use crate::store::{Archive, Page, ProvenCheckpoint, ReadingLine};

/// OpenAPI 3.1.
pub(super) const OPENAPI: &str = include_str!("openapi.json");

type Answer = Result<Response, Refusal>;

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

pub(super) async fn key(State(app): State<Arc<App>>) -> Response {
    let cosigner = batch::verifier_key(&app.name, &app.public_key);
    let told = json!({
        "platform": app.name, "public_key": app.public_key, "cosigner": cosigner, "changes": app.changes,
    });
    Json(told).into_response()
}

/// Probes what a platform is for: that the writer takes a job and its database answers.
pub(super) async fn healthz(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let probed = app.store.probe().await;
    let answer = probed.map(|()| Json(json!({ "status": "ok" })).into_response()).map_err(Refusal::from);
    answered(&app, &uri, answer)
}

pub(super) async fn status(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let counts = json!({
        "platform": app.name,
        "public_key": app.public_key,
        "started_ms": app.started_ms,
        "repeated": app.repeated.load(Ordering::Relaxed),
        "refused": app.refused.by_code(),
    });
    ask(&app, &uri, move |archive| {
        let mut status = counts;
        status["boxes"] = json!(archive.boxes()?);
        status["sources"] = json!(archive.tallies()?);
        Ok(Json(status).into_response())
    })
    .await
}

pub(super) async fn boxes(State(app): State<Arc<App>>, uri: Uri) -> Response {
    ask(&app, &uri, |archive| Ok(Json(archive.boxes()?).into_response())).await
}

pub(super) async fn coverage(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    ask(&app, &uri, move |archive| {
        let box_id = query::box_id(&box_id)?;
        let holds = archive.coverage(&box_id)?;
        let records = archive.records(&box_id)?;
        let withheld = holds.len().saturating_sub(records);
        Ok(Json(json!({ "box": box_id, "records": records, "withheld": withheld, "holds": holds })).into_response())
    })
    .await
}

/// The newest checkpoint that is proven, cosigned: what platforms compare.
pub(super) async fn checkpoint(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let (asked, cosigner) = (uri.clone(), Arc::clone(&app));
    ask(&app, &uri, move |archive| {
        let (box_id, size) = (query::box_id(&box_id)?, query::size(&asked)?);
        let missing = || Refusal::new(Code::NotFound, "no checkpoint of this box and size is proven here");
        let ProvenCheckpoint { head, since, proven_ms } =
            archive.proven_checkpoint(&box_id, size)?.ok_or_else(missing)?;
        let time_s = u64::try_from(proven_ms.0).unwrap_or(0) / 1_000;
        let checkpoint = CosignedCheckpoint { platform: cosigner.name.clone(), box_id, since, head, time_s };
        Ok((TEXT, checkpoint.sign(&cosigner.cosigner)).into_response())
    })
    .await
}

pub(super) async fn readings(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = uri.clone();
    ask(&app, &uri, move |archive| {
        let (query, format) = query::readings(&asked)?;
        let page = archive.readings(&query::box_id(&box_id)?, &query)?;
        let (media_type, text) = match format {
            Format::Csv => ("text/csv; charset=utf-8; header=present", csv(&page.items)),
            Format::Jsonl => ("application/jsonl", jsonl(&page.items)?),
        };
        let response = ([(header::CONTENT_TYPE, media_type)], text).into_response();
        Ok(linked(response, page.next.map(|next| query::readings_after(&query, format, next))))
    })
    .await
}

pub(super) async fn alarms(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = uri.clone();
    ask(&app, &uri, move |archive| {
        let (after, limit) = query::page(&asked)?;
        Ok(page(archive.alarms(&query::box_id(&box_id)?, after.map(record::Seq), limit)?, limit))
    })
    .await
}

pub(super) async fn dossiers(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = uri.clone();
    ask(&app, &uri, move |archive| {
        let (after, limit) = query::page(&asked)?;
        Ok(page(archive.dossiers(&query::box_id(&box_id)?, after.map(record::Seq), limit)?, limit))
    })
    .await
}

pub(super) async fn aggregates(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = uri.clone();
    ask(&app, &uri, move |archive| {
        let query = query::aggregates(&asked)?;
        let page = archive.aggregates(&query::box_id(&box_id)?, &query)?;
        let next = page.next.map(|next| query::aggregates_after(&query, next));
        Ok(linked(Json(page).into_response(), next))
    })
    .await
}

pub(super) async fn manual(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = uri.clone();
    ask(&app, &uri, move |archive| {
        let (after, limit) = query::page(&asked)?;
        Ok(page(archive.manual(&query::box_id(&box_id)?, after.map(record::Seq), limit)?, limit))
    })
    .await
}

pub(super) async fn patrols(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = uri.clone();
    ask(&app, &uri, move |archive| {
        let (after, limit) = query::page(&asked)?;
        Ok(page(archive.patrols(&query::box_id(&box_id)?, after.map(record::Seq), limit)?, limit))
    })
    .await
}

pub(super) async fn codecs(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = uri.clone();
    ask(&app, &uri, move |archive| {
        let (after, limit) = query::page(&asked)?;
        Ok(page(archive.codecs(&query::box_id(&box_id)?, after.map(record::Seq), limit)?, limit))
    })
    .await
}

pub(super) async fn codec(State(app): State<Arc<App>>, Path(path): Path<(String, String)>, uri: Uri) -> Response {
    ask(&app, &uri, move |archive| {
        let (box_id, seq) = (query::box_id(&path.0)?, query::seq(&path.1)?);
        let missing = || Refusal::new(Code::NotFound, format!("record {seq} of this box told no codec"));
        archive.codec(&box_id, seq)?.map(IntoResponse::into_response).ok_or_else(missing)
    })
    .await
}

pub(super) async fn batches(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = uri.clone();
    ask(&app, &uri, move |archive| {
        let (after, limit) = query::page(&asked)?;
        Ok(page(archive.batches(&query::box_id(&box_id)?, after, limit)?, limit))
    })
    .await
}

pub(super) async fn batch(State(app): State<Arc<App>>, Path(path): Path<(String, String)>, uri: Uri) -> Response {
    ask(&app, &uri, move |archive| {
        let (box_id, id) = names(&path)?;
        cose(archive.batch(&box_id, &id)?, &id)
    })
    .await
}

pub(super) async fn receipt(State(app): State<Arc<App>>, Path(path): Path<(String, String)>, uri: Uri) -> Response {
    ask(&app, &uri, move |archive| {
        let (box_id, id) = names(&path)?;
        cose(archive.receipt(&box_id, &id)?, &id)
    })
    .await
}

/// Asks the store off the async workers, a bounded number at a time.
pub(super) async fn ask(app: &Arc<App>, uri: &Uri, ask: impl FnOnce(&Archive) -> Answer + Send + 'static) -> Response {
    let stops = |_| Refusal::new(Code::Busy, "the platform stops");
    let permit = match Arc::clone(&app.reading).acquire_owned().await.map_err(stops) {
        Ok(permit) => permit,
        Err(refusal) => return answered(app, uri, Err(refusal)),
    };
    let store = Arc::clone(&app.store);
    let asked = tokio::task::spawn_blocking(move || {
        let answer = ask(store.archive());
        drop(permit);
        answer
    });
    let answer = asked.await.unwrap_or_else(|error| Err(Refusal::caused(Code::StoreFailed, &error)));
    answered(app, uri, answer)
}

fn answered(app: &App, uri: &Uri, answer: Answer) -> Response {
    answer.unwrap_or_else(|refusal| app.refuse(refusal, uri.path()))
}

fn names(path: &(String, String)) -> Result<(batch::BoxId, BatchId), Refusal> {
    let id = path.1.parse().map_err(|error| Refusal::caused(Code::BadId, &error))?;
    Ok((query::box_id(&path.0)?, id))
}

fn cose(bytes: Option<Vec<u8>>, id: &BatchId) -> Answer {
    let missing = || Refusal::new(Code::NotFound, format!("batch {id} is not held for this box"));
    bytes.map(|bytes| (COSE, bytes).into_response()).ok_or_else(missing)
}

fn page<T: serde::Serialize>(page: Page<T>, limit: usize) -> Response {
    let next = page.next.map(|next| format!("?after={next}&limit={limit}"));
    linked(Json(page).into_response(), next)
}

fn linked(mut response: Response, next: Option<String>) -> Response {
    let link = next.and_then(|next| HeaderValue::try_from(format!("<{next}>; rel=\"next\"")).ok());
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// RFC 4180.
fn csv(lines: &[ReadingLine]) -> String {
    let mut text = "seq,idx,source,quantity,unit,value,quality,at_ms,wall_ms,clock,codec,redecoded_of,\
                    replaced_by,text\r\n"
        .to_owned();
    for line in lines {
        let at_ms = line.at_ms.map(|at| at.to_string()).unwrap_or_default();
        let value = line.value.as_deref().unwrap_or_default();
        // Of all columns only a unit and a text may hold a comma or a quote.
        let (unit, text_value) = (quoted(&line.unit), quoted(line.text.as_deref().unwrap_or_default()));
        let [redecoded_of, replaced_by] =
            [line.redecoded_of, line.replaced_by].map(|seq| seq.map(|seq| seq.to_string()).unwrap_or_default());
        let codec = line.codec.as_deref().unwrap_or_default();
        let ReadingLine { seq, idx, source, quantity, quality, wall_ms, clock, .. } = line;
        text.push_str(&format!(
            "{seq},{idx},{source},{quantity},{unit},{value},{quality},{at_ms},{wall_ms},{clock},{codec},{redecoded_of},\
             {replaced_by},{text_value}\r\n"
        ));
    }
    text
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn jsonl(lines: &[ReadingLine]) -> Result<String, Refusal> {
    let mut text = String::new();
    for line in lines {
        let line = serde_json::to_string(line).map_err(|error| Refusal::caused(Code::StoreFailed, &error))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_a_comma_or_quote_is_quoted() {
        assert_eq!(quoted("mg/L"), "mg/L");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
