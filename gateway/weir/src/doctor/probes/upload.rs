//! `sync.toml` and the certificates that both configurations name.

use std::io::ErrorKind;
use std::path::Path;

use control::chain;
use record::UnixMs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use syncd::{ConfigError, SyncConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::doctor::check::words;
use crate::doctor::facts::{Certificate, DestinationFacts, Fact, Places, Setup, Unseen, Upload, Whose};

/// Reads it.
pub(super) fn look(places: &Places) -> Fact<Upload> {
    let config = SyncConfig::load(&places.sync_config).map_err(|error| match &error {
        ConfigError::Read { path, source } if source.kind() != ErrorKind::InvalidData => {
            Unseen::of(source, &path.display().to_string())
        }
        _ => Unseen::Failed(chain(&error)),
    })?;
    let enabled = config.destinations.into_iter().filter(|destination| destination.enabled);
    let facts = enabled.map(|destination| {
        let way = destination.proxy.as_ref().unwrap_or(&destination.url);
        let (host, port) = way.endpoint();
        DestinationFacts {
            name: destination.name.to_string(),
            host,
            port,
            key: destination.key,
            ca_file: destination.ca_file,
            client_cert: destination.client_cert,
            client_key: destination.client_key,
            parked_max: destination.batch.parked_max.get(),
            filter: destination.filter,
        }
    });
    Ok(Upload { destinations: facts.collect(), state_dir: config.state_dir })
}

/// Every certificate that a configuration names.
pub(super) fn certificates(upload: Option<&Upload>, setup: Option<&Setup>) -> Vec<Certificate> {
    let of_platforms = upload.iter().flat_map(|upload| &upload.destinations).flat_map(|destination| {
        let paths = [Some(&destination.ca_file), destination.client_cert.as_ref()].into_iter().flatten();
        paths.map(|path| (Whose::Platform, path.clone()))
    });
    let tls = setup.and_then(|setup| setup.mqtt_tls.as_ref());
    let of_mqtt = tls.into_iter().flat_map(|tls| {
        [Some(&tls.cert), tls.client_ca.as_ref()].into_iter().flatten().map(|path| (Whose::Mqtt, path.clone()))
    });
    of_platforms.chain(of_mqtt).map(|(whose, path)| Certificate { whose, valid: validity(&path), path }).collect()
}

/// The time in which all certificates of a file are valid.
fn validity(path: &Path) -> Fact<(UnixMs, UnixMs)> {
    let failed = |why: String| Unseen::Failed(why);
    let read = |error: PemError| match error {
        PemError::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
            Unseen::of(&error, &path.display().to_string())
        }
        error => failed(error.to_string()),
    };
    let mut valid: Option<(UnixMs, UnixMs)> = None;
    for certificate in CertificateDer::pem_file_iter(path).map_err(read)? {
        let der = certificate.map_err(read)?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| failed(error.to_string()))?;
        let ms = |time: x509_parser::time::ASN1Time| UnixMs(time.timestamp().saturating_mul(1_000));
        let (from, until) = (ms(parsed.validity().not_before), ms(parsed.validity().not_after));
        valid = Some(valid.map_or((from, until), |(a, b)| (a.max(from), b.min(until))));
    }
    valid.ok_or(Unseen::Absent(words("the file has no certificate", "文件中没有证书")))
}
