//! The device table as the MQTT edge asks for it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ingest::{DeviceLink, DeviceTable, MqttDevice, Password};
use mqtt::{Credentials, Device, Directory, Filter, Proof, Refusal};
use record::SourceId;
use sha2::{Digest, Sha256};

/// Answers from memory.
pub(crate) struct Devices {
    table: Arc<DeviceTable>,
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
    pub(crate) fn new(table: Arc<DeviceTable>) -> Result<Devices, getrandom::Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt)?;
        Ok(Devices { table, proven: Arc::new(Proven { salt, digests: Mutex::default() }) })
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
        let name = SourceId::new(client_id).map_err(|_| Refusal::UnknownDevice)?;
        let device = self.table.by_name(&name).ok_or(Refusal::UnknownDevice)?;
        let DeviceLink::Mqtt(mqtt) = &device.link else { return Err(Refusal::UnknownDevice) };
        if !device.enabled {
            return Err(Refusal::BadPassword);
        }
        let let_in = as_edge_sees(&name, mqtt);
        match credentials {
            Credentials::Certificate => Ok(Proof::Given(let_in)),
            Credentials::Login { password: Some(given), .. } if !mqtt.certificate => {
                let password = mqtt.password.as_ref().ok_or(Refusal::BadPassword)?;
                self.prove(name, password, given, let_in)
            }
            Credentials::Login { .. } => Err(Refusal::BadPassword),
        }
    }
}

impl Devices {
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
        // A topic that the edge cannot take is nobody's.
        publish: mqtt.topics.iter().filter_map(|topic| Filter::new(topic)).collect(),
        command: Filter::new(&mqtt.command_topic),
        subscribe: Vec::new(),
    }
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
        let table = [device("plain", ""), device("hashed", ""), device("carded", "certificate = true")].concat();
        let keys = format!("[plain]\npassword = \"password\"\n[hashed]\npassword = \"{HASH}\"\n");
        let table = DeviceTable::from_toml(&table, &keys, &BTreeMap::new()).unwrap();
        Devices::new(Arc::new(table)).unwrap()
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
    }
}
