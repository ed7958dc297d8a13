//! The platform over HTTP; `openapi.json` beside this file describes it and a test holds both together.

mod body;
mod enrol;
mod keys;
mod query;
mod read;
mod refusal;
mod upload;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use batch::{PlatformId, PublicKey, SigningKey};
use record::UnixMs;
use tokio::sync::Semaphore;

use crate::command::Commands;
use crate::config::{Config, ReadToken};
use crate::enrolment::Enrolments;
use crate::state_dir::StateDir;
use crate::store::Store;
use refusal::{Code, Counters, Refusal};

/// Most uploads whose bodies are read at once; each holds at most `body_bytes_max`.
const UPLOADS_MAX: usize = 64;
/// Most batches that are decompressed or wait for their commit at once; each holds at most
/// `batch::PAYLOAD_BYTES_MAX` and what is decoded from it.
const OPENING_MAX: usize = 8;
/// Most questions answered at once; each holds one page.
const READING_MAX: usize = 8;

/// The media type of batches, receipts and checkpoints (RFC 9052 §10.2).
const COSE: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/cose; cose-type=\"cose-sign1\"")];

/// The media type of a note.
const TEXT: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];

/// What every request may use.
#[derive(Debug)]
struct App {
    name: PlatformId,
    public_key: PublicKey,
    /// Of the same key.
    cosigner: SigningKey,
    /// How it took the place of others, signed, in hex.
    changes: Vec<String>,
    enrolments: Arc<Enrolments>,
    commands: Commands,
    read_token: Option<ReadToken>,
    body_bytes_max: usize,
    store: Arc<Store>,
    started_ms: UnixMs,
    refused: Counters,
    /// Batches that came again.
    repeated: AtomicU64,
    uploads: Semaphore,
    opening: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

/// Everything the platform answers to.
pub(crate) fn router(
    config: &Config,
    (cosigner, changes): (SigningKey, Vec<String>),
    enrolments: Arc<Enrolments>,
    store: Arc<Store>,
) -> Router {
    let app = Arc::new(App {
        name: config.name.clone(),
        public_key: cosigner.public(),
        cosigner,
        changes,
        enrolments,
        commands: Commands::new(&StateDir::new(&config.state_dir)),
        read_token: config.read_token.clone(),
        body_bytes_max: config.body_bytes_max,
        store,
        started_ms: upload::now(),
        refused: Counters::new(),
        repeated: AtomicU64::new(0),
        uploads: Semaphore::new(UPLOADS_MAX),
        opening: Arc::new(Semaphore::new(OPENING_MAX)),
        reading: Arc::new(Semaphore::new(READING_MAX)),
    });
    let token = middleware::from_fn_with_state(Arc::clone(&app), need_token);
    let guarded = guarded_routes().into_iter().map(|(path, route)| (path, route.route_layer(token.clone())));
    let router = open_routes().into_iter().chain(guarded);
    let router = router.fold(Router::new(), |router, (path, route)| router.route(path, route));
    router.method_not_allowed_fallback(no_method).fallback(no_route).with_state(app)
}

type Route = (&'static str, MethodRouter<Arc<App>>);

/// What needs no token: uploads, enrolments and changes of keys are signed, the rest is public.
fn open_routes() -> Vec<Route> {
    vec![
        ("/healthz", get(read::healthz)),
        ("/openapi.json", get(read::openapi)),
        ("/v1/key", get(read::key)),
        ("/v1/boxes/{box}/checkpoint", get(read::checkpoint)),
        ("/v1/boxes/{box}/batches/{id}", put(upload::put)),
        ("/v1/boxes/{box}/keys", get(keys::get).post(keys::post)),
        ("/v1/enrolments", post(enrol::post)),
    ]
}

/// What needs the token, if one is set.
fn guarded_routes() -> Vec<Route> {
    vec![
        ("/v1/status", get(read::status)),
        ("/v1/boxes", get(read::boxes)),
        ("/v1/boxes/{box}/coverage", get(read::coverage)),
        ("/v1/boxes/{box}/readings", get(read::readings)),
        ("/v1/boxes/{box}/alarms", get(read::alarms)),
        ("/v1/boxes/{box}/dossiers", get(read::dossiers)),
        ("/v1/boxes/{box}/aggregates", get(read::aggregates)),
        ("/v1/boxes/{box}/manual", get(read::manual)),
        ("/v1/boxes/{box}/patrols", get(read::patrols)),
        ("/v1/boxes/{box}/codecs", get(read::codecs)),
        ("/v1/boxes/{box}/codecs/{seq}", get(read::codec)),
        ("/v1/boxes/{box}/batches", get(read::batches)),
        ("/v1/boxes/{box}/batches/{id}", get(read::batch)),
        ("/v1/boxes/{box}/batches/{id}/receipt", get(read::receipt)),
    ]
}

impl App {
    fn refuse(&self, refusal: Refusal, path: &str) -> Response {
        self.refused.count(&refusal, path);
        refusal.into_response()
    }
}

/// RFC 6750 §2.1.
async fn need_token(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Some(token) = &app.read_token {
        let shown = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let admitted = shown.and_then(|value| value.strip_prefix(b"Bearer ")).is_some_and(|shown| token.admits(shown));
        if !admitted {
            let refusal = Refusal::new(Code::Unauthorized, "reading here needs the bearer token");
            return app.refuse(refusal, request.uri().path());
        }
    }
    next.run(request).await
}

async fn no_route(State(app): State<Arc<App>>, request: Request) -> Response {
    app.refuse(Refusal::new(Code::NoRoute, "there is no such path"), request.uri().path())
}

async fn no_method(State(app): State<Arc<App>>, request: Request) -> Response {
    let message = format!("there is no {} on this path", request.method());
    app.refuse(Refusal::new(Code::NoMethod, message), request.uri().path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_description_has_every_path_and_no_other() {
        let description: serde_json::Value = serde_json::from_str(read::OPENAPI).unwrap();
        assert_eq!(description["openapi"], "3.1.0");
        let described: BTreeSet<&str> = description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let routed: BTreeSet<&str> = open_routes().iter().chain(&guarded_routes()).map(|(path, _)| *path).collect();
        assert_eq!(described, routed);
    }
}
