//! The page over HTTP: who may ask, for what, in how much time; and the heads under which a browser shows it.

mod listener;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::prelude::{BASE64_STANDARD, Engine};
use record::{OutfallCode, SourceId};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::daemons::Asker;
use crate::pages::{self, Asked, Refusal};
use crate::watch::{Shared, lock, machine_now};
use crate::{Config, Lang};
pub(crate) use listener::Doorkeeper;

/// Pages that are made at once, each some milliseconds and 300 kB; others wait for their turn.
const MAKING_MAX: usize = 2;
/// Longest query that is looked at, in bytes.
const QUERY_BYTES_MAX: usize = 200;

/// What every request may use.
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) known: Shared,
    asker: Asker,
    making: Semaphore,
    /// The hash of the style, which is the only thing that a page may bring along.
    policy: HeaderValue,
}

impl App {
    pub(crate) fn new(config: Arc<Config>, known: Shared) -> App {
        App { config, known, asker: Asker::default(), making: Semaphore::new(MAKING_MAX), policy: policy() }
    }
}

/// Which page.
#[derive(Debug, Clone)]
enum Wanted {
    Home,
    Outfall(String),
    Device(String),
    Refusal(Refusal),
}

/// Everything that the page answers to.
pub(crate) fn router(app: Arc<App>) -> Router {
    let home = get(|State(app), query, heads| answer(app, Wanted::Home, query, heads));
    let outfall = get(|State(app), Path(code), query, heads| answer(app, Wanted::Outfall(code), query, heads));
    let device = get(|State(app), Path(name), query, heads| answer(app, Wanted::Device(name), query, heads));
    Router::new()
        .route("/", home)
        .route("/outfall/{code}", outfall)
        .route("/device/{name}", device)
        .fallback(|State(app), query, heads| answer(app, Wanted::Refusal(Refusal::NotFound), query, heads))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// Before anything else: a name by which it may be asked for, and a method that changes nothing; and the heads of every answer.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut response = if !app.config.is_named(host) {
        let text = "421 · this page is asked for by its address, or by a name in page.toml\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let (query, heads) = (request.uri().query().map(str::to_owned), request.headers().clone());
        answer(Arc::clone(&app), Wanted::Refusal(Refusal::Method), RawQuery(query), heads).await
    } else {
        next.run(request).await
    };
    let heads = response.headers_mut();
    heads.insert(header::CONTENT_SECURITY_POLICY, app.policy.clone());
    for (name, value) in HEADS {
        heads.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The heads of every answer. No cookie is ever set.
const HEADS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::VARY, "Accept-Language"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Nothing but the style that stands in the page, by its hash.
fn policy() -> HeaderValue {
    let hash = BASE64_STANDARD.encode(Sha256::digest(pages::STYLE));
    let text = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

async fn answer(app: Arc<App>, wanted: Wanted, RawQuery(query): RawQuery, heads: HeaderMap) -> Response {
    let query = query.filter(|query| query.len() <= QUERY_BYTES_MAX).unwrap_or_default();
    let asked = |name: &str| {
        query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
    };
    let chosen = asked("lang").and_then(Lang::named);
    let first = asked("from").and_then(|from| from.parse().ok()).unwrap_or(0);
    let accepted = heads.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).and_then(Lang::accepted);
    let lang = chosen.or(accepted).unwrap_or(app.config.lang);
    let Ok(_turn) = app.making.acquire().await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let making = Arc::clone(&app);
    // Sockets, files and the lock: none of that on a thread that serves others.
    let made = tokio::task::spawn_blocking(move || make(&making, &wanted, (lang, chosen.is_some()), first)).await;
    let Ok((status, text)) = made else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    deliver(status, text, lang, &heads)
}

fn make(app: &App, wanted: &Wanted, (lang, chosen): (Lang, bool), first: usize) -> (StatusCode, String) {
    app.asker.refresh(&app.config, &app.known);
    let known = lock(&app.known);
    let asked = Asked { known: &known, config: &app.config, lang, chosen, now: known.now(machine_now()) };
    let found = match wanted {
        Wanted::Home => Some(pages::home(&asked)),
        Wanted::Outfall(code) => OutfallCode::new(code).ok().and_then(|code| pages::outfall(&asked, &code)),
        Wanted::Device(name) => SourceId::new(name).ok().and_then(|source| pages::device(&asked, &source, first)),
        Wanted::Refusal(Refusal::Method) => {
            return (StatusCode::METHOD_NOT_ALLOWED, pages::refusal(&asked, Refusal::Method));
        }
        Wanted::Refusal(Refusal::NotFound) => None,
    };
    match found {
        Some(text) => (StatusCode::OK, text),
        None => (StatusCode::NOT_FOUND, pages::refusal(&asked, Refusal::NotFound)),
    }
}

/// With a tag of its own, so that a page that did not change costs a phone nothing.
fn deliver(status: StatusCode, text: String, lang: Lang, heads: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", BASE64_STANDARD.encode(Sha256::digest(&text)));
    let known = heads.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let unchanged = status == StatusCode::OK && known.is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag));
    let mut response = match unchanged {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => (status, Body::from(text)).into_response(),
    };
    let heads = response.headers_mut();
    if !unchanged {
        heads.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        heads.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag()));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        heads.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    heads.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        heads.insert(header::ETAG, tag);
    }
    response
}

/// For the log: where it listens.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}
