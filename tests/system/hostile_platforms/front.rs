//! What stands between a box and a platform, and ends TLS there: an honest proxy, or something worse.

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use system_tests::http::message;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto, version,
};

/// A body without end stops here, lest a box that reads it all fill the memory of this test.
const ENDLESS_BYTES: usize = 64 << 20;
const DRIP_EVERY: Duration = Duration::from_millis(50);

/// How the front behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manner {
    /// An honest proxy.
    Honest,
    /// The same answer to everything.
    Answer(Vec<u8>),
    /// 200, and a body that never ends.
    Endless,
    /// 200, a byte now and then, for ever.
    Drip,
    /// The platform's true answer to an earlier batch.
    Replay,
    /// A certificate that was good last year.
    Expired,
    /// A certificate of somebody else.
    Changed,
}

/// A request that came to the end: which path, and when.
pub(crate) type Request = (String, Instant);

/// A front of one platform. Its threads end with the process.
pub(crate) struct Front {
    /// Where it listens.
    pub(crate) port: u16,
    /// What the box trusts.
    pub(crate) ca_file: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    manner: Mutex<Manner>,
    good: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    changed: Arc<ServerConfig>,
    towards_platform: Arc<ClientConfig>,
    /// The last answer that the platform gave with a receipt.
    receipt: Mutex<Option<Vec<u8>>>,
    requests: Mutex<Vec<Request>>,
}

/// An authority and what it signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes what a client trusts.
    pub(crate) fn write(&self, path: &Path) {
        fs::write(path, self.0.pem()).unwrap();
    }

    /// A certificate of this machine's loopback, and its key, as PEM.
    pub(crate) fn issue(&self, is_expired: bool) -> (String, String) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        if is_expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

fn serving((certificate, key): (String, String)) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&version::TLS13]).unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

fn trusting(ca_file: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    CertificateDer::pem_file_iter(ca_file).unwrap().for_each(|one| roots.add(one.unwrap()).unwrap());
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&version::TLS13]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Front {
    /// Starts an honest one in front of the platform at this port, which has this certificate; its own authority goes
    /// into a file of this folder.
    pub(crate) fn start(target: u16, platform_cert: &Path, folder: &Path) -> Front {
        let (ours, theirs) = (Authority::new("the front"), Authority::new("somebody else"));
        let ca_file = folder.join("front-ca.crt");
        ours.write(&ca_file);
        let shared = Arc::new(Shared {
            target,
            manner: Mutex::new(Manner::Honest),
            good: serving(ours.issue(false)),
            expired: serving(ours.issue(true)),
            changed: serving(theirs.issue(false)),
            towards_platform: trusting(platform_cert),
            receipt: Mutex::new(None),
            requests: Mutex::new(Vec::new()),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let front = Front { port: listener.local_addr().unwrap().port(), ca_file, shared: shared.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // A client that hangs up ends its thread, and that is all.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        front
    }

    /// From now on, for requests and connections to come.
    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// What has come since the last time this was asked.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }
}

impl Shared {
    fn manner(&self) -> Manner {
        self.manner.lock().unwrap().clone()
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let config = match self.manner() {
            Manner::Expired => &self.expired,
            Manner::Changed => &self.changed,
            _ => &self.good,
        };
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(connection, stream);
        loop {
            let request = message(&mut tls)?;
            let path = String::from_utf8_lossy(&request).split(' ').nth(1).unwrap_or_default().to_owned();
            self.requests.lock().unwrap().push((path, Instant::now()));
            match self.manner() {
                Manner::Honest | Manner::Expired | Manner::Changed => tls.write_all(&self.forward(&request)?)?,
                Manner::Answer(answer) => tls.write_all(&answer)?,
                Manner::Replay => {
                    let earlier = self.receipt.lock().unwrap().clone();
                    tls.write_all(&earlier.expect("a batch was delivered before"))?;
                }
                Manner::Endless => {
                    tls.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
                    for _ in 0..ENDLESS_BYTES / 4_096 {
                        tls.write_all(&[b'x'; 4_096])?;
                    }
                    return Ok(());
                }
                Manner::Drip => {
                    tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
                    loop {
                        tls.write_all(b"x")?;
                        tls.flush()?;
                        thread::sleep(DRIP_EVERY);
                    }
                }
            }
            tls.flush()?;
        }
    }

    fn forward(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.target))?;
        let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
        let connection = ClientConnection::new(self.towards_platform.clone(), name).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(connection, stream);
        tls.write_all(request)?;
        let answer = message(&mut tls)?;
        if answer.starts_with(b"HTTP/1.1 20") {
            *self.receipt.lock().unwrap() = Some(answer.clone());
        }
        Ok(answer)
    }
}
