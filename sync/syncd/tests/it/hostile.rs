//! Against far ends that are slow, broken or mean: each is named, none stops the other destination (D4).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use syncd::status::DestinationStatus;

use crate::bench::{Bench, Daemon, boot, commit, entry, frame, one_of};

/// What a far end makes of a whole request.
pub(crate) type Judge = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// What the far end does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    Bytes(Vec<u8>),
    Judged(Arc<Judge>),
    /// Says so much, then nothing more.
    Stops(Vec<u8>),
    /// Holds the connection until the client hangs up, and says nothing.
    Silence,
}

/// Serves TLS 1.3 with the certificate in `folder` until the test ends; returns its port.
pub(crate) fn serve(folder: &Path, reply: Reply) -> u16 {
    let chain = CertificateDer::pem_file_iter(folder.join("tls.crt")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("tls.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let config = Arc::new(builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            let reply = reply.clone();
            // A client that hangs up ends its thread, and that is all.
            std::thread::spawn(move || drop(answer(tls, &reply)));
        }
    });
    port
}

fn answer(mut tls: impl Read + Write, reply: &Reply) -> std::io::Result<()> {
    let (mut request, mut part) = (Vec::new(), [0; 4_096]);
    let is_whole = |request: &[u8]| {
        let Some(head) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
        let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        request.len() >= head + 4 + length.unwrap_or(0)
    };
    while !is_whole(&request) {
        match tls.read(&mut part)? {
            0 => return Ok(()),
            length => request.extend_from_slice(&part[..length]),
        }
    }
    match reply {
        Reply::Bytes(bytes) => tls.write_all(bytes).and_then(|()| tls.flush()),
        Reply::Judged(judge) => tls.write_all(&judge(&request)).and_then(|()| tls.flush()),
        Reply::Stops(bytes) => {
            tls.write_all(bytes).and_then(|()| tls.flush())?;
            std::io::copy(&mut tls, &mut std::io::sink()).map(drop)
        }
        Reply::Silence => std::io::copy(&mut tls, &mut std::io::sink()).map(drop),
    }
}

/// The city behaves, the province replies so; both get five records. What the province's status is then.
async fn with(reply: Reply, is_so: impl Fn(&DestinationStatus) -> bool) -> DestinationStatus {
    let bench = Bench::new();
    let key = bench.key();
    let city = bench.platform("city", 0, key.public()).await;
    let province = bench.platform("province", 0, key.public()).await;
    let province_key = province.public_key();
    province.stop().await.unwrap();
    let port = serve(&bench.path("province"), reply);
    let province = entry("province", port, &bench.path("province/tls.crt"), province_key);
    let city_entry = entry("city", city.local_addr().port(), &bench.path("city/tls.crt"), city.public_key());
    commit(&mut bench.journal(), &key, std::iter::once(boot()).chain((1..5).map(frame)).collect());
    let text = format!(
        "{province}[destination.timeouts]\nanswer_ms = 300\nprogress_ms = 100\nbytes_per_s_min = 1_000_000\n{city_entry}"
    );
    let daemon = Daemon::start(bench.config(&text));
    let both = bench.until("the city has all, the province shows its fault", |status| {
        one_of(status, "city").is_some_and(|city| city.covered == 5) && one_of(status, "province").is_some_and(&is_so)
    });
    let shown = one_of(&both.await, "province").unwrap().clone();
    assert_eq!((shown.covered, shown.delivered.receipts), (0, 0), "D1");
    daemon.stop().await;
    city.stop().await.unwrap();
    shown
}

async fn fails_as(kind: &str, what: &str, reply: Reply) {
    let counter = format!("failed_{kind}");
    let shown = with(reply, |shown| shown.counters.get(&counter).is_some_and(|count| *count >= 2)).await;
    let error = shown.last_error.unwrap();
    assert!(error.what.contains(what) && !error.cure.is_empty(), "{error:?}");
}

fn reply(text: &str) -> Reply {
    Reply::Bytes(text.as_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence() {
    fails_as("timed_out", "", Reply::Silence).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_stops() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf".to_vec();
    fails_as("timed_out", "no byte passed for 100 ms", Reply::Stops(half)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_cut_in_the_middle() {
    fails_as("broken", "", reply("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_http_at_all() {
    fails_as("broken", "", reply("220 mail.example ESMTP\r\n")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plea_for_patience() {
    let text = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    fails_as("overloaded", "HTTP 503", reply(text)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed() {
    let text = "HTTP/1.1 307 Go\r\nlocation: https://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    fails_as("faulty", "HTTP 307", reply(text)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_end() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    bytes.resize(2 << 20, b'x');
    fails_as("faulty", "more than 1048576 bytes", Reply::Bytes(bytes)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_is_none() {
    fails_as("receipt_unverified", "", reply("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_parked_and_nothing_waits_for_it() {
    let text = "HTTP/1.1 409 Conflict\r\ncontent-length: 4\r\nconnection: close\r\n\r\nodd!";
    let shown = with(reply(text), |shown| shown.parked == 5).await;
    assert_eq!((shown.outstanding, shown.missing, shown.counters["refused"]), (0, 0, 9), "five alone, four halved");
}
