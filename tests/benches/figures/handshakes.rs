//! MQTT logins a second, with TLS and a certificate of the client's own, with TLS alone, and in clear text.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::gateway::Site;
use crate::publisher::connect;
use crate::stats::{median, ms, percentile, span};
use crate::{Plan, devices, process};

/// Clients that log in at one time, each again and again: a site after its power came back.
const CLIENTS: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
enum Login {
    Plain,
    Tls,
    Certificate,
}

const LOGINS: [(Login, &str); 3] = [
    (Login::Plain, "clear text, password"),
    (Login::Tls, "TLS 1.3, password"),
    (Login::Certificate, "TLS 1.3, client certificate"),
];

/// What one kind of login came to in one round.
#[derive(Debug, Clone)]
struct Measured {
    per_s: f64,
    times_us: Vec<f64>,
    server_cpu_us: f64,
    peak_mib: f64,
}

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    println!("{CLIENTS} clients at a time: TCP, TLS without resumption, CONNECT, CONNACK, close; keys on P-256");
    let mut all: Vec<Vec<Measured>> = vec![Vec::new(); LOGINS.len()];
    for round in 0..plan.rounds {
        for turn in 0..LOGINS.len() {
            let login = (turn + round) % LOGINS.len();
            all[login].push(measure(plan, LOGINS[login].0)?);
        }
    }
    println!("login                          logins/s        span  p50 ms  p99 ms  CPU µs/login  peak RSS MiB");
    for ((_, name), runs) in LOGINS.iter().zip(&all) {
        let rates: Vec<f64> = runs.iter().map(|run| run.per_s).collect();
        let times = || runs.iter().flat_map(|run| run.times_us.iter().copied());
        println!(
            "{name:<29} {:>9.0} {:>11}  {:>6.2}  {:>6.2}  {:>12.0}  {:>12.1}",
            median(rates.iter().copied()),
            span(&rates, 0),
            ms(percentile(times(), 50.0)),
            ms(percentile(times(), 99.0)),
            median(runs.iter().map(|run| run.server_cpu_us)),
            median(runs.iter().map(|run| run.peak_mib)),
        );
    }
    for ((_, name), runs) in LOGINS.iter().zip(&all).skip(1) {
        let ratios: Vec<f64> = all[0].iter().zip(runs).map(|(plain, run)| run.per_s / plain.per_s).collect();
        println!("{name} ÷ clear text: {:.2} ({})", median(ratios.iter().copied()), span(&ratios, 2));
    }
    Ok(())
}

fn measure(plan: &Plan, login: Login) -> io::Result<Measured> {
    let folder = tempfile::tempdir_in(&plan.folder)?;
    let tls = SocketAddr::from(([127, 0, 0, 1], process::free_port()?));
    let more = format!("[mqtt.tls]\nenabled = true\nlisten = \"{tls}\"\nclient_ca = \"ca.crt\"\n");
    let site = Site::with(folder.path(), &devices::mqtt_tables(CLIENTS), &more)?;
    let authority = Authority::new()?;
    fs::write(folder.path().join("ca.crt"), authority.0.pem())?;
    let (certificate, key) = authority.issue("127.0.0.1", true)?;
    fs::write(folder.path().join("mqtt.crt"), certificate)?;
    fs::write(folder.path().join("mqtt.key"), key)?;
    let mut gateway = site.start(&plan.weir)?;
    gateway.process.wait_for(tls)?;
    let configs: Vec<Arc<ClientConfig>> =
        (0..CLIENTS).map(|client| authority.client(login, client)).collect::<io::Result<_>>()?;
    let cpu = gateway.process.cpu()?;
    let (begin, time) = (Instant::now(), Duration::from_secs(plan.seconds));
    let address = if matches!(login, Login::Plain) { gateway.mqtt } else { tls };
    let clients: Vec<_> = configs
        .into_iter()
        .enumerate()
        .map(|(client, config)| {
            thread::spawn(move || {
                let mut times_us = Vec::new();
                while begin.elapsed() < time {
                    let began = Instant::now();
                    match login {
                        Login::Plain => log_in(&mut dial(address)?, client)?,
                        Login::Tls | Login::Certificate => {
                            let name = ServerName::from(address.ip());
                            let tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                            log_in(&mut StreamOwned::new(tls, dial(address)?), client)?;
                        }
                    }
                    times_us.push(began.elapsed().as_secs_f64() * 1e6);
                }
                io::Result::Ok(times_us)
            })
        })
        .collect();
    let mut times_us = Vec::new();
    for client in clients {
        times_us.extend(client.join().map_err(|_| io::Error::other("a client panicked"))??);
    }
    let per_s = times_us.len() as f64 / begin.elapsed().as_secs_f64();
    let cpu = gateway.process.cpu()?.saturating_sub(cpu);
    let server_cpu_us = cpu.as_secs_f64() * 1e6 / times_us.len().max(1) as f64;
    Ok(Measured { per_s, times_us, server_cpu_us, peak_mib: gateway.process.memory()?.peak })
}

fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn log_in(stream: &mut (impl Read + Write), client: usize) -> io::Result<()> {
    stream.write_all(&connect(&devices::name(client), true))?;
    stream.flush()?;
    let mut connack = [0; 4];
    stream.read_exact(&mut connack)?;
    match connack {
        [0x20, 2, 0, 0] => Ok(()),
        refused => Err(io::Error::other(format!("CONNACK {refused:02x?}"))),
    }
}

/// Who signs the box's certificate and those of its devices.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> io::Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the site's own authority");
        let key = KeyPair::generate().map_err(io::Error::other)?;
        CertifiedIssuer::self_signed(params, key).map(Authority).map_err(io::Error::other)
    }

    /// A certificate and its key, both PEM.
    fn issue(&self, name: &str, server: bool) -> io::Result<(String, String)> {
        let names = if server { vec![name.to_owned()] } else { Vec::new() };
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, name);
        if !server {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn client(&self, login: Login, client: usize) -> io::Result<Arc<ClientConfig>> {
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other);
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.0.pem())?).map_err(io::Error::other)?;
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match login {
            Login::Plain | Login::Tls => builder.with_no_client_auth(),
            Login::Certificate => {
                let (own, key) = self.issue(&devices::name(client), false)?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(io::Error::other)?;
                builder.with_client_auth_cert(vec![certificate(&own)?], key).map_err(io::Error::other)?
            }
        };
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}
