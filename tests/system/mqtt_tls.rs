//! MQTT over TLS with clients that nobody here wrote: paho with a hashed password, mosquitto with a certificate.

use std::fs;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use system_tests::config::free_tcp_port;
use system_tests::row::{once, values};
use system_tests::{Answer, Device, Peer, World, until};

/// By argon2-cffi 25.1.0, for `river-otter-7` and the salt `weir-test-salt-1`.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$d2Vpci10ZXN0LXNhbHQtMQ$HAUQIBf8teF0Ij74QVCaHxC4SbQJlxQpz2oC9JKw+PY";
const COUNT: u64 = 40;

/// A gateway with TLS, whose devices' certificates are signed by the same authority as its own.
struct Tls {
    world: World,
    port: u16,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Tls {
    fn start(devices: &[Device], keys: &str) -> Tls {
        let port = free_tcp_port();
        let more = format!("[mqtt.tls]\nenabled = true\nlisten = \"127.0.0.1:{port}\"\nclient_ca = \"ca.crt\"\n");
        let world = World::prepared(devices, &more);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the site's own authority");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(world.path("ca.crt"), ca.pem()).unwrap();
        let mut tls = Tls { world, port, ca };
        let params = CertificateParams::new(vec!["127.0.0.1".into(), "localhost".into()]).unwrap();
        tls.issue("mqtt", params);
        // The file keeps its mode.
        fs::write(tls.world.path("keys.toml"), keys).unwrap();
        tls.world.start_gateway();
        tls
    }

    /// A certificate and its key as `NAME.crt` and `NAME.key`.
    fn issue(&self, name: &str, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        fs::write(self.world.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        fs::write(self.world.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn issue_to_device(&self, name: &str) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        self.issue(name, params);
    }

    /// `mosquitto_pub` as `device` with the certificate of `holder`.
    fn mosquitto(&self, device: &str, holder: &str, payload: &str) -> Answer {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "localhost", "-p", &self.port.to_string(), "-i", device, "-q", "1", "-m", payload]);
        command.args(["-t", &format!("d/{device}/up"), "--cafile"]).arg(self.world.path("ca.crt"));
        command.arg("--cert").arg(self.world.path(&format!("{holder}.crt")));
        Answer::of(command.arg("--key").arg(self.world.path(&format!("{holder}.key"))))
    }

    fn stored(&self, device: &Device, count: u64) {
        let accepted = format!("/gateway/devices/{}/accepted", device.name);
        until("all frames are stored", 30, || (self.world.count(&accepted) >= count).then_some(()));
    }
}

#[test]
fn paho_with_a_hashed_password_is_stored_once() {
    let device = Device::cod("hashed-1");
    let tls = Tls::start(std::slice::from_ref(&device), &format!("[hashed-1]\npassword = \"{HASH}\"\n"));
    let paho = |password: &str| {
        let peer = Peer::new("paho_sensor.py").with("--host", "localhost").with("--port", tls.port);
        let peer = peer.with("--ca", tls.world.path("ca.crt").display()).with("--user", &device.name);
        peer.with("--password", password).with("--topic", device.topic()).with("--count", COUNT).run()
    };
    paho("river-otter-8").exits(3);
    assert_eq!(paho("river-otter-7").exits(0).number("acknowledged"), COUNT);
    tls.stored(&device, COUNT);
    assert_eq!(values(&tls.world.export(), &device.name, "n"), once(1..=COUNT));
}

#[test]
fn mosquitto_with_a_certificate_needs_no_password() {
    let (one, two) = (Device::cod("cert-1"), Device::cod("cert-2"));
    let keys = "[cert-1]\npassword = \"never used\"\n[cert-2]\npassword = \"never used\"\n";
    let tls = Tls::start(&[one.clone(), two], keys);
    tls.issue_to_device("cert-1");
    tls.mosquitto("cert-1", "cert-1", "{\"n\":1,\"cod\":40.17}").exits(0);
    tls.stored(&one, 1);
    let foreign = tls.mosquitto("cert-2", "cert-1", "{\"n\":1,\"cod\":40.17}");
    assert_ne!(foreign.code, Some(0), "the certificate names another device: {foreign:?}");
    assert_eq!(tls.world.count("/gateway/devices/cert-2/accepted"), 0);
}
