//! `/v1/boxes/{box}/keys`: a box's word that another key took its key's place, and what is known of its keys.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use batch::{BoxId, Revocation, STATEMENT_BYTES_MAX};
use serde_json::{Value, json};

use super::read::ask;
use super::refusal::{Code, Refusal};
use super::{App, body};
use crate::box_keys;

pub(super) async fn post(State(app): State<Arc<App>>, Path(box_id): Path<String>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    match change(&app, &box_id, &mut body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => {
            body::drain(&mut body).await;
            app.refuse(refusal, &path)
        }
    }
}

async fn change(app: &Arc<App>, box_id: &str, body: &mut Body) -> Result<Value, Refusal> {
    let box_id = known(app, box_id)?;
    let _uploading =
        app.uploads.try_acquire().map_err(|_| Refusal::new(Code::Busy, "too many uploads are under way"))?;
    let bytes = body::read(body, STATEMENT_BYTES_MAX).await?;
    let enrolments = Arc::clone(&app.enrolments);
    let changed = tokio::task::spawn_blocking(move || enrolments.change_key(&box_id, &bytes)).await;
    let entry = changed.map_err(|error| Refusal::caused(Code::StoreFailed, &error))??;
    app.store.enrol(entry.clone()).await?;
    Ok(json!({ "box": entry.id, "key": entry.key }))
}

pub(super) async fn get(State(app): State<Arc<App>>, Path(box_id): Path<String>, uri: Uri) -> Response {
    let asked = Arc::clone(&app);
    ask(&app, &uri, move |_| Ok(Json(told(&asked, &known(&asked, &box_id)?)?).into_response())).await
}

fn told(app: &App, box_id: &BoxId) -> Result<Value, Refusal> {
    let state = app.enrolments.state();
    let keys = app.enrolments.keys(box_id);
    let revoked = box_keys::revocations(state, box_id)?;
    let statements: Vec<String> = box_keys::kept(state, box_id)?.iter().map(|(cose, _)| hex::encode(cose)).collect();
    let revocation = |(cose, says): &(Vec<u8>, Revocation)| {
        let Revocation { key, from_ms, reason, .. } = says;
        json!({ "key": key, "from_ms": from_ms, "reason": reason, "statement": hex::encode(cose) })
    };
    Ok(json!({
        "box": box_id,
        "key": keys.as_ref().map(batch::Lineage::newest),
        "believed": keys.iter().flat_map(|keys| keys.believed().copied()).collect::<Vec<_>>(),
        "statements": statements,
        "revoked": revoked.iter().map(revocation).collect::<Vec<_>>(),
    }))
}

/// Who is not enrolled costs no memory.
fn known(app: &App, box_id: &str) -> Result<BoxId, Refusal> {
    let unknown = || Refusal::new(Code::UnknownBox, "the box of the path is not enrolled here");
    BoxId::new(box_id).ok().filter(|box_id| app.enrolments.keys(box_id).is_some()).ok_or_else(unknown)
}
