//! TLS, with and without certificates of the devices.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mqtt::{Edge, Limits, Listener, Tls, TlsError, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::client::{Client, Connect, PATIENCE, publish};
use crate::world::{commit, limits, parts, remember};

/// A certificate and its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A certificate authority, the box's certificate by it, and a folder with both.
struct Pki {
    ca: CertifiedIssuer<'static, KeyPair>,
    dir: PathBuf,
}

impl Pki {
    fn new(name: &str) -> Pki {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = std::env::temp_dir().join(format!("weir-mqtt-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["box".into()]).unwrap().signed_by(&key, &ca).unwrap();
        for (file, pem) in [("box.crt", cert.pem()), ("box.key", key.serialize_pem()), ("ca.crt", ca.pem())] {
            std::fs::write(dir.join(file), pem).unwrap();
        }
        Pki { ca, dir }
    }

    fn files(&self, with_ca: bool, require: bool) -> TlsFiles {
        TlsFiles {
            cert: self.dir.join("box.crt"),
            key: self.dir.join("box.key"),
            client_ca: with_ca.then(|| self.dir.join("ca.crt")),
            require_client_cert: require,
        }
    }

    fn client(&self, common_name: Option<&str>) -> TlsConnector {
        self.trusted_by(common_name.map(|name| self.device(name)))
    }

    /// A client that trusts the box, with a certificate of whomever.
    fn trusted_by(&self, certificate: Option<Identity>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        };
        Arc::new(config).into()
    }

    fn device(&self, name: &str) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.ca).unwrap();
        (vec![cert.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// An edge whose second listener speaks TLS.
async fn edge(files: &TlsFiles, limits: Limits) -> Edge {
    let (mut parts, submissions, changes, _) = parts(limits, 64).await;
    commit(submissions);
    tokio::spawn(remember(changes));
    let tls = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().with_tls(Tls::load(files).unwrap());
    parts.listeners.push(tls);
    Edge::start(parts).unwrap()
}

/// Connects over TLS with these bytes; the first bytes of the answer, none if the connection just ends.
async fn answer(edge: &Edge, connector: &TlsConnector, bytes: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(edge.local_addrs()[1]).await.unwrap();
    let talk = async {
        let mut stream = connector.connect(ServerName::try_from("box").unwrap(), stream).await?;
        stream.write_all(bytes).await?;
        let mut answer = vec![0; 64];
        let length = stream.read(&mut answer).await?;
        answer.truncate(length);
        std::io::Result::Ok(answer)
    };
    timeout(PATIENCE, talk).await.unwrap().unwrap_or_default()
}

fn connect(id: &'static str, login: bool) -> Vec<u8> {
    let (user, password) = if login { (Some(id), Some("secret")) } else { (None, None) };
    Connect { user, password, ..Connect::new(4, id) }.bytes()
}

#[tokio::test]
async fn a_password_or_a_certificate_of_the_device() {
    let pki = Pki::new("either");
    let edge = edge(&pki.files(true, false), limits()).await;
    let (anonymous, a) = (pki.client(None), pki.client(Some("a")));
    assert_eq!(answer(&edge, &anonymous, &connect("a", true)).await, [0x20, 2, 0, 0]);
    assert_eq!(answer(&edge, &anonymous, &connect("a", false)).await, [0x20, 2, 0, 5]);
    assert_eq!(answer(&edge, &a, &connect("a", false)).await, [0x20, 2, 0, 0]);
    assert_eq!(answer(&edge, &a, &connect("b", true)).await, [0x20, 2, 0, 5], "not even with the password of b");
    assert_eq!(answer(&edge, &a, &Connect { user: Some("b"), ..Connect::new(4, "a") }.bytes()).await, [0x20, 2, 0, 5]);
    let stranger = Pki::new("stranger");
    let foreign = pki.trusted_by(Some(stranger.device("a")));
    assert_eq!(answer(&edge, &foreign, &connect("a", true)).await, b"");
    let counters = edge.counters();
    assert_eq!((counters.certificate_mismatch, counters.tls_failed), (2, 1));
}

#[tokio::test]
async fn a_certificate_may_be_demanded() {
    let pki = Pki::new("demanded");
    let edge = edge(&pki.files(true, true), limits()).await;
    assert_eq!(answer(&edge, &pki.client(None), &connect("a", true)).await, b"");
    assert_eq!(answer(&edge, &pki.client(Some("a")), &connect("a", false)).await, [0x20, 2, 0, 0]);
}

#[tokio::test]
async fn a_handshake_that_never_comes_holds_nobody() {
    // Row 7.
    let pki = Pki::new("silent");
    let limits = Limits { tls_handshake_timeout: Duration::from_millis(300), ..limits() };
    let edge = edge(&pki.files(false, false), limits).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(edge.local_addrs()[1]).await.unwrap());
    }
    assert_eq!(answer(&edge, &pki.client(None), &connect("a", true)).await, [0x20, 2, 0, 0]);
    let mut plain = Client::connect(edge.local_addr(), 4, "b").await;
    plain.send(&publish(4, 2, 1, "d/b/up", b"1")).await;
    assert_eq!(plain.packet().await, [0x40, 2, 0, 1]);
    for mut stream in silent {
        assert_eq!(timeout(PATIENCE, stream.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
    }
    assert_eq!(edge.counters().tls_timeout, 20);
}

#[test]
fn files_that_do_not_serve_are_named() {
    let pki = Pki::new("files");
    let check = |files: &TlsFiles, expected: &str| {
        let error = Tls::load(files).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let good = pki.files(true, true);
    check(&TlsFiles { cert: "/nowhere".into(), ..good.clone() }, "/nowhere");
    check(&TlsFiles { cert: good.key.clone(), ..good.clone() }, "holds no certificate");
    check(&TlsFiles { key: good.cert.clone(), ..good.clone() }, "failed to read");
    check(&TlsFiles { client_ca: None, ..good.clone() }, "`require_client_cert` needs `client_ca`");
    let other = Pki::new("other-files");
    let mixed = TlsFiles { key: other.files(false, false).key, ..good };
    assert!(matches!(Tls::load(&mixed), Err(TlsError::Pair { .. })));
}
