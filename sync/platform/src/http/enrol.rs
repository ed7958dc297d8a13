//! `POST /v1/enrolments`: let a box in that has a code, and answer with what it must pin.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use batch::{ENROLMENT_BYTES_MAX, Enrolment};

use super::refusal::{Code, Refusal};
use super::{App, COSE, body, upload};
use crate::enrolment::EnrolmentError;

pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    match admit(&app, &mut body).await {
        Ok(answer) => (StatusCode::OK, COSE, answer).into_response(),
        Err(refusal) => {
            body::drain(&mut body).await;
            app.refused.count(&refusal, &path);
            refusal.into_response()
        }
    }
}

async fn admit(app: &Arc<App>, body: &mut Body) -> Result<Vec<u8>, Refusal> {
    let _uploading =
        app.uploads.try_acquire().map_err(|_| Refusal::new(Code::Busy, "too many uploads are under way"))?;
    let bytes = body::read(body, ENROLMENT_BYTES_MAX).await?;
    let wish = Enrolment::open(&bytes).map_err(|error| match Code::from(&error) {
        Code::Malformed => Refusal::caused(Code::BadEnrolment, &error),
        code => Refusal::caused(code, &error),
    })?;
    let (enrolments, now) = (Arc::clone(&app.enrolments), upload::now());
    let taken = tokio::task::spawn_blocking(move || enrolments.take(&wish, now)).await;
    let entry = taken.map_err(|error| Refusal::caused(Code::StoreFailed, &error))??;
    app.store.enrol(entry.clone()).await?;
    Ok(app.enrolments.admit(&entry, now)?)
}

impl From<EnrolmentError> for Refusal {
    fn from(error: EnrolmentError) -> Refusal {
        let code = match &error {
            EnrolmentError::NotInvited(_) => Code::NotInvited,
            EnrolmentError::Used(_) => Code::AlreadyUsed,
            EnrolmentError::Configured(_) => Code::BoxConfigured,
            EnrolmentError::TooMany => Code::StoreFull,
            EnrolmentError::Keys { source, .. } => Code::from(source),
            EnrolmentError::NoKey(_)
            | EnrolmentError::BadKey { .. }
            | EnrolmentError::Random(_)
            | EnrolmentError::File { .. } => Code::StoreFailed,
        };
        Refusal::caused(code, &error)
    }
}
