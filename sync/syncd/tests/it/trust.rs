//! Certificates: whose time they are judged by, and what the box shows of itself.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use batch::SigningKey;
use platform::{Platform, Running};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use record::{Body, Boot, ClockQuality, Record};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use syncd::status::Status;

use crate::bench::{Bench, Daemon, commit, entry, frame, one_of, stamp};

/// A platform whose certificate is valid in these years only, and its entry in `sync.toml`.
async fn platform_of(bench: &Bench, years: [i32; 2]) -> (Running, String) {
    let [from, to] = years;
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(bench.path("dated.crt"), certificate.pem()).unwrap();
    std::fs::write(bench.path("dated.key"), key.serialize_pem()).unwrap();
    let text = format!(
        "name = \"city\"\nlisten = \"127.0.0.1:0\"\nstate_dir = \"city\"\n[tls]\ncert = \"dated.crt\"\nkey = \"dated.key\"\n\
         [[box]]\nid = \"outfall-7\"\nkey = \"{}\"\n",
        bench.key().public()
    );
    let config = platform::Config::parse(&text, &bench.path("platform.toml")).unwrap();
    let city = Platform::start(config).await.unwrap();
    let text = entry("city", city.local_addr().port(), &bench.path("dated.crt"), city.public_key());
    (city, text)
}

/// What becomes of a box whose clock is worth this, in this boot, at a platform of these years.
async fn outcome(clock: ClockQuality, years: [i32; 2], is_so: impl Fn(&Status) -> bool) -> Status {
    let bench = Bench::new();
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let boot = Record { stamp: stamp_of(clock), body: Body::Boot(Boot { boot_id, version: "1".into() }) };
    let frame = Record { stamp: stamp_of(clock), ..frame(1) };
    commit(&mut bench.journal(), &bench.key(), vec![boot, frame]);
    let (city, destination) = platform_of(&bench, years).await;
    let daemon = Daemon::start(bench.config(&destination));
    let status = bench.until("as expected", is_so).await;
    daemon.stop().await;
    city.stop().await.unwrap();
    status
}

fn stamp_of(clock: ClockQuality) -> record::Stamp {
    record::Stamp { clock, mono_ms: record::MonoMs(0), ..stamp() }
}

fn is_delivered(status: &Status) -> bool {
    status.destinations.first().is_some_and(|city| city.delivered.receipts > 0)
}

fn is_untrusted(status: &Status) -> bool {
    status.destinations.first().is_some_and(|city| city.counters.contains_key("failed_untrusted"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_nobody_vouches_for_locks_no_box_out() {
    outcome(ClockQuality::Unset, [2040, 2041], is_delivered).await;
    // It ended before this program was written.
    outcome(ClockQuality::Unset, [2001, 2002], is_untrusted).await;
    let time = ClockQuality::Synchronised;
    outcome(time, [2020, 2999], is_delivered).await;
    for (years, cause) in [([2040, 2041], "not valid yet"), ([2001, 2002], "expired")] {
        let status = outcome(time, years, is_untrusted).await;
        let told = one_of(&status, "city").unwrap().last_error.clone().unwrap();
        // The stamp's wall time, moved on by the time since the boot.
        assert!(told.what.contains(cause) && told.what.contains("; to the box it is 202"), "{told:?}");
        assert!(told.cure.contains("the box's clock"), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_asks_for_a_certificate_gets_the_boxs() {
    let bench = Bench::new();
    let pair = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(bench.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(bench.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        (certificate.der().clone(), key.serialize_der())
    };
    let ((server, server_key), (client, _)) = (pair("127.0.0.1"), pair("box"));
    let mut roots = RootCertStore::empty();
    roots.add(client.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server], server_key.try_into().unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let shown = std::thread::spawn(move || {
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, listener.accept().unwrap().0);
        stream.read_exact(&mut [0; 4]).unwrap();
        let shown = stream.conn.peer_certificates().map(<[_]>::to_vec);
        stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").unwrap();
        shown
    });
    commit(&mut bench.journal(), &bench.key(), vec![frame(1)]);
    let ca_file = bench.path("127.0.0.1.crt");
    let files = "client_cert = \"box.crt\"\nclient_key = \"box.key\"\n";
    let text = entry("city", port, &ca_file, SigningKey::from_seed(&[1; 32]).public());
    let text = text.replace("[destination.batch]", &format!("{files}[destination.batch]"));
    let daemon = Daemon::start(bench.config(&text));
    let shown = tokio::task::spawn_blocking(move || shown.join().unwrap()).await.unwrap();
    assert_eq!(shown, Some(vec![client]));
    daemon.stop().await;
}

#[tokio::test]
async fn half_of_a_certificate_stops_the_start_with_its_cure() {
    let bench = Bench::new();
    let (city, text) = platform_of(&bench, [2020, 2999]).await;
    city.stop().await.unwrap();
    std::fs::write(bench.path("empty.pem"), "").unwrap();
    for (more, cause) in [
        ("client_cert = \"dated.crt\"\n", "name both"),
        ("client_key = \"dated.key\"\n", "name both"),
        ("client_cert = \"dated.crt\"\nclient_key = \"none.key\"\n", "none.key"),
        ("client_cert = \"empty.pem\"\nclient_key = \"dated.key\"\n", "empty.pem"),
    ] {
        let text = text.replace("[destination.batch]", &format!("{more}[destination.batch]"));
        let error = syncd::run(bench.config(&text), std::future::pending()).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(cause) && source.contains("try:"), "{source}");
    }
}
