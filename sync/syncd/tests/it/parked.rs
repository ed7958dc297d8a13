//! A platform that cannot take one record gets all others, and that one once it can.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use batch::{Batch, PublicKey};
use record::{Seq, SeqRange, SeqRanges};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::bench::{Bench, Daemon, boot, commit, entry, frame, one_of};
use crate::hostile::{Reply, serve};

const ODD: Seq = Seq(701);

/// Between box and platform: hands every request on, but refuses batches with the odd record while it is odd.
fn picky(folder: &Path, platform_port: u16, box_key: PublicKey, is_odd: Arc<AtomicBool>) -> u16 {
    relay(folder, platform_port, move |request| {
        let head = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let batch = Batch::open(&request[head + 4..], None, |_| Some(box_key));
        let refuses = is_odd.load(Ordering::SeqCst) && batch.is_ok_and(|batch| batch.ranges.contains(ODD));
        let why = "HTTP/1.1 422 Odd\r\ncontent-length: 4\r\nconnection: close\r\n\r\nodd!";
        refuses.then(|| why.as_bytes().to_vec())
    })
}

/// Between box and platform: hands every request on for which `answers` has no answer of its own.
pub(crate) fn relay(
    folder: &Path,
    platform_port: u16,
    answers: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> u16 {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("tls.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let judge = move |request: &[u8]| {
        let head = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let (head, body) = (&request[..head], &request[head + 4..]);
        if let Some(answer) = answers(request) {
            return answer;
        }
        let stream = TcpStream::connect(("127.0.0.1", platform_port)).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut tls = StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), stream);
        tls.write_all(&[head, b"\r\nconnection: close\r\n\r\n", body].concat()).unwrap();
        let mut answer = Vec::new();
        // Some servers close without saying so first.
        let _ = tls.read_to_end(&mut answer);
        answer
    };
    serve(folder, Reply::Judged(Arc::new(judge)))
}

async fn ask(bench: &Bench, request: Value) -> Result<Value, control::AskError> {
    let socket = bench.path("run/sync.sock");
    tokio::task::spawn_blocking(move || control::ask(&socket, &request)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_odd_record_is_parked_alone_and_goes_when_somebody_says_so() {
    let bench = Bench::new();
    let key = bench.key();
    let city = bench.platform("city", 0, key.public()).await;
    let is_odd = Arc::new(AtomicBool::new(true));
    let port = picky(&bench.path("city"), city.local_addr().port(), key.public(), is_odd.clone());
    commit(&mut bench.journal(), &key, std::iter::once(boot()).chain((1..2_000).map(frame)).collect());
    let config = || bench.config(&entry("city", port, &bench.path("city/tls.crt"), city.public_key()));
    let daemon = Daemon::start(config());
    let city_is = |covered, parked| {
        bench.until("all but the odd one", move |status| {
            one_of(status, "city").is_some_and(|city| (city.covered, city.parked) == (covered, parked))
        })
    };
    let shown = city_is(1_999, 1).await;
    let refused = one_of(&shown, "city").unwrap().counters["refused"];
    assert!((2..=10).contains(&refused), "{refused} refusals for one of 500");

    // What it is, and why, is in the outbox; a restart forgets neither.
    daemon.stop().await;
    let parked = bench.outbox().parked_batches("city").unwrap();
    let alone: SeqRanges = [SeqRange { first: ODD, last: ODD }].into_iter().collect();
    assert_eq!((parked.len(), &parked[0].batch.ranges), (1, &alone));
    assert!(parked[0].reason.contains("odd!"), "{}", parked[0].reason);
    let daemon = Daemon::start(config());
    city_is(1_999, 1).await;

    let unknown = ask(&bench, json!({"do": "retry", "destination": "moon"})).await.unwrap_err();
    assert!(unknown.to_string().contains("no platform `moon`"), "{unknown}");
    let none = ask(&bench, json!({"do": "retry", "destination": "city", "batch": "00".repeat(32)})).await;
    assert_eq!(none.unwrap()["batches"], 0);
    // Still odd: it is parked again. Then it is not.
    assert_eq!(ask(&bench, json!({"do": "retry", "destination": "city"})).await.unwrap()["batches"], 1);
    let again = bench.until("it is refused again", |status| {
        one_of(status, "city").is_some_and(|city| city.parked == 1 && city.counters["refused"] == 1)
    });
    again.await;
    is_odd.store(false, Ordering::SeqCst);
    let id = batch::BatchId(parked[0].batch.id).to_string();
    let sent = ask(&bench, json!({"do": "retry", "destination": "city", "batch": id})).await;
    assert_eq!(sent.unwrap()["batches"], 1);
    city_is(2_000, 0).await;
    daemon.stop().await;
    city.stop().await.unwrap();
}
