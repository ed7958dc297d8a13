//! The device table as the MQTT edge asks for it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ingest::{DeviceLink, DeviceTable, Integration, IntegrationKind, MqttDevice, Password, SELF_TEST};
use mqtt::{Credentials, Device, Directory, Filter, Proof, Refusal};
use record::SourceId;
use sha2::{Digest, Sha256};

use crate::clock::mono_ms;
use crate::config::Chirpstack;
use crate::self_test::SelfTest;

/// ChirpStack's name of the only command there is.
const DOWN: &str = "down";

/// Answers from memory.
pub(crate) struct Devices {
    table: Arc<DeviceTable>,
    topics: Chirpstack,
    self_test: Arc<SelfTest>,
    proven: Arc<Proven>,
}

/// Passwords that passed their argon2id hash since the start, one a device, so that a storm of reconnects costs a
/// digest each and not a hash.
///
/// What is kept is SHA-256 over a salt of this process, the device's name and the password, in memory only. It is weaker
/// than argon2id to whoever can read the memory of this process; but who can do that reads the passwords themselves, as
/// the next device connects. Wrong passwords are not kept: each costs its hash, in the bounded line of the edge. The
/// device table does not change while this lives.
struct Proven {
    salt: [u8; 32],
    digests: Mutex<BTreeMap<SourceId, [u8; 32]>>,
}

impl Devices {
    pub(crate) fn new(
        table: Arc<DeviceTable>,
        topics: Chirpstack,
        self_test: Arc<SelfTest>,
    ) -> Result<Devices, getrandom::Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt)?;
        Ok(Devices { table, topics, self_test, proven: Arc::new(Proven { salt, digests: Mutex::default() }) })
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Devices").field("devices", &self.table.len()).finish_non_exhaustive()
    }
}

impl Proven {
    fn digest(&self, device: &SourceId, given: &[u8]) -> [u8; 32] {
        // No name holds a zero byte.
        let named = Sha256::new().chain_update(self.salt).chain_update(device.as_str()).chain_update([0]);
        named.chain_update(given).finalize().into()
    }

    fn knows(&self, device: &SourceId, given: &[u8]) -> bool {
        let digest = self.digest(device, given);
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(device) == Some(&digest)
    }

    fn keep(&self, device: SourceId, given: &[u8]) {
        let digest = self.digest(&device, given);
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).insert(device, digest);
    }
}

impl Directory for Devices {
    fn authenticate(&self, client_id: &str, credentials: Credentials<'_>) -> Result<Proof, Refusal> {
        if client_id == SELF_TEST {
            let Credentials::Login { password: Some(given), .. } = credentials else {
                return Err(Refusal::BadPassword);
            };
            return self.self_test.admit(given, mono_ms()).map(Proof::Given).ok_or(Refusal::BadPassword);
        }
        let name = SourceId::new(client_id).map_err(|_| Refusal::UnknownDevice)?;
        let Client { enabled, password, certificate, let_in } = self.client(&name).ok_or(Refusal::UnknownDevice)?;
        if !enabled {
            return Err(Refusal::BadPassword);
        }
        match credentials {
            Credentials::Certificate => Ok(Proof::Given(let_in)),
            Credentials::Login { password: Some(given), .. } if !certificate => {
                let password = password.ok_or(Refusal::BadPassword)?;
                self.prove(name, password, given, let_in)
            }
            Credentials::Login { .. } => Err(Refusal::BadPassword),
        }
    }
}

/// Who may connect, and how it proves itself.
struct Client<'a> {
    enabled: bool,
    password: Option<&'a Password>,
    certificate: bool,
    let_in: Device,
}

impl Devices {
    fn client(&self, name: &SourceId) -> Option<Client<'_>> {
        if let Some(integration) = self.table.integration(name) {
            let Integration { enabled, certificate, password, .. } = integration;
            let let_in = self.integration(integration);
            return Some(Client { enabled: *enabled, password: password.as_ref(), certificate: *certificate, let_in });
        }
        let device = self.table.by_name(name)?;
        let DeviceLink::Mqtt(mqtt) = &device.link else { return None };
        let (password, certificate) = (mqtt.password.as_ref(), mqtt.certificate);
        Some(Client { enabled: device.enabled, password, certificate, let_in: as_edge_sees(name, mqtt) })
    }

    /// The topics of an integration: a ChirpStack publishes events and gets commands, a reader gets events.
    fn integration(&self, integration: &Integration) -> Device {
        let name = integration.name.as_str().into();
        let events = filters([self.topics.event_topic.filter(None)]);
        match integration.kind {
            IntegrationKind::Chirpstack => {
                let command = Filter::new(&self.topics.command_topic.filter(Some(DOWN)));
                Device { name, publish: events, command, subscribe: Vec::new() }
            }
            IntegrationKind::Reader => Device { name, publish: Vec::new(), command: None, subscribe: events },
        }
    }

    fn prove(&self, name: SourceId, password: &Password, given: &[u8], let_in: Device) -> Result<Proof, Refusal> {
        if !password.is_costly() {
            return if password.is(given) { Ok(Proof::Given(let_in)) } else { Err(Refusal::BadPassword) };
        }
        if self.proven.knows(&name, given) {
            return Ok(Proof::Given(let_in));
        }
        let (proven, password, given) =
            (self.proven.clone(), password.clone(), zeroize::Zeroizing::new(given.to_vec()));
        Ok(Proof::Costly(Box::new(move || {
            if !password.is(&given) {
                return Err(Refusal::BadPassword);
            }
            proven.keep(name, &given);
            Ok(let_in)
        })))
    }
}

fn as_edge_sees(name: &SourceId, mqtt: &MqttDevice) -> Device {
    Device {
        name: name.as_str().into(),
        publish: filters(&mqtt.topics),
        command: Filter::new(&mqtt.command_topic),
        subscribe: Vec::new(),
    }
}

/// A topic that the edge cannot take is nobody's.
fn filters<T: AsRef<str>>(topics: impl IntoIterator<Item = T>) -> Vec<Filter> {
    topics.into_iter().filter_map(|topic| Filter::new(topic.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// For `password`, of the reference implementation's own tests.
    const HASH: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    fn devices() -> Devices {
        let device = |name: &str, more: &str| {
            format!("[[device]]\nname = \"{name}\"\n[device.mqtt]\n{more}\n[device.codec]\nkind = \"senml_json\"\n")
        };
        let integration = |name: &str, kind: &str, more: &str| {
            format!("[[integration]]\nname = \"{name}\"\nkind = \"{kind}\"\n{more}\n")
        };
        let table = [
            device("plain", ""),
            device("hashed", ""),
            device("carded", "certificate = true"),
            integration("cs", "chirpstack", ""),
            integration("red", "reader", "certificate = true"),
            integration("off", "reader", "enabled = false"),
        ];
        let keys = ["plain", "cs", "off"].map(|name| format!("[{name}]\npassword = \"password\"\n")).concat();
        let keys = format!("{keys}[hashed]\npassword = \"{HASH}\"\n");
        let table = DeviceTable::from_toml(&table.concat(), &keys, &BTreeMap::new()).unwrap();
        Devices::new(Arc::new(table), Chirpstack::default(), Arc::default()).unwrap()
    }

    fn login<'a>(name: &'a str, password: &'a str) -> Credentials<'a> {
        Credentials::Login { user: Some(name), password: Some(password.as_bytes()) }
    }

    #[test]
    fn a_hash_is_computed_once() {
        let devices = devices();
        let costly = |password| match devices.authenticate("hashed", login("hashed", password)) {
            Ok(Proof::Costly(proof)) => Some(proof()),
            Ok(Proof::Given(_)) => None,
            Err(refusal) => Some(Err(refusal)),
        };
        assert_eq!(costly("passwort"), Some(Err(Refusal::BadPassword)));
        assert_eq!(costly("password").unwrap().unwrap().name.as_ref(), "hashed");
        assert_eq!(costly("password"), None, "it passed before");
        assert_eq!(costly("passwort"), Some(Err(Refusal::BadPassword)), "which helps no other");
    }

    #[test]
    fn each_device_proves_itself_its_own_way() {
        let devices = devices();
        let check = |name, credentials, expected: Result<(), Refusal>| {
            let given = devices.authenticate(name, credentials).map(|proof| assert!(matches!(proof, Proof::Given(_))));
            assert_eq!(given, expected, "{name} {credentials:?}");
        };
        check("plain", login("plain", "password"), Ok(()));
        check("plain", login("plain", "passwort"), Err(Refusal::BadPassword));
        check("plain", Credentials::Login { user: Some("plain"), password: None }, Err(Refusal::BadPassword));
        check("plain", Credentials::Certificate, Ok(()));
        check("carded", Credentials::Certificate, Ok(()));
        check("carded", login("carded", "password"), Err(Refusal::BadPassword));
        check("nobody", Credentials::Certificate, Err(Refusal::UnknownDevice));
        check("cs", login("cs", "password"), Ok(()));
        check("cs", login("cs", "passwort"), Err(Refusal::BadPassword));
        check("red", Credentials::Certificate, Ok(()));
        check("red", login("red", "password"), Err(Refusal::BadPassword));
        check("off", login("off", "password"), Err(Refusal::BadPassword));
    }

    #[test]
    fn the_client_of_a_self_test_is_let_in_by_its_ticket_alone() {
        let devices = devices();
        let check = |credentials, expected: Result<(), Refusal>| {
            let given =
                devices.authenticate(SELF_TEST, credentials).map(|proof| assert!(matches!(proof, Proof::Given(_))));
            assert_eq!(given, expected);
        };
        check(login(SELF_TEST, ""), Err(Refusal::BadPassword));
        check(Credentials::Certificate, Err(Refusal::BadPassword));
        let password = devices.self_test.open(record::Actor::User(0), String::new(), mono_ms()).unwrap();
        check(login(SELF_TEST, &password), Ok(()));
        check(Credentials::Certificate, Err(Refusal::BadPassword));
        let other = devices.authenticate("plain", login("plain", &password));
        assert_eq!(other.err(), Some(Refusal::BadPassword), "and as nobody else");
    }

    #[test]
    fn integrations_have_the_topics_of_their_kind() {
        let devices = devices();
        let check = |name, publish: &[&str], command: Option<&str>, subscribe: &[&str]| {
            let Ok(Proof::Given(device)) = devices.authenticate(name, Credentials::Certificate) else {
                panic!("{name}")
            };
            let texts = |filters: &[Filter]| filters.iter().map(|f| f.as_str().to_owned()).collect::<Vec<_>>();
            assert_eq!(
                (texts(&device.publish), texts(&device.subscribe)),
                (filters_of(publish), filters_of(subscribe))
            );
            assert_eq!(device.command.as_ref().map(Filter::as_str), command);
        };
        let events = "application/+/device/+/event/+";
        check("cs", &[events], Some("application/+/device/+/command/down"), &[]);
        check("red", &[], None, &[events]);
        check("plain", &["d/plain/up"], Some("d/plain/down"), &[]);
    }

    fn filters_of(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
