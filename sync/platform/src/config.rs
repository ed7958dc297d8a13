//! `platform.toml`: text to a validated configuration in one step. Nothing reads the environment or the file later.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use batch::{BATCH_BYTES_MAX, BoxId, PlatformId, PublicKey};
use layers::{Fault, Layered, LayersError, Spot};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Longest file that is read: ten thousand boxes need 2 MB.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Smallest and largest `body_bytes_max`: room for one signed alarm; what the format allows.
const BODY_BYTES: std::ops::RangeInclusive<usize> = 4 << 10..=BATCH_BYTES_MAX;
/// Bytes of the database where the file does not say: some ten years of one hundred boxes.
const STORE_BYTES_DEFAULT: u64 = 64 << 30;
/// Smallest `store_bytes_max`: the empty schema and room to answer.
const STORE_BYTES_MIN: u64 = 1 << 20;
/// Shortest `read_token`, in bytes: 16 random bytes as base64 have 22 characters.
const TOKEN_BYTES_MIN: usize = 16;

/// What the platform is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The platform's name; it stands in every receipt.
    pub name: PlatformId,
    /// Where to listen for HTTPS; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder of the database and the keys. A relative path starts at the folder of the file.
    pub state_dir: PathBuf,
    /// Certificate and key for TLS; without them a self-signed one is made at the first start.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// Names and addresses of a self-signed certificate, beside the address of `listen`.
    #[serde(default)]
    pub tls_names: Vec<String>,
    /// Who may deliver.
    #[serde(default, rename = "box")]
    pub boxes: Vec<EnrolledBox>,
    /// The bearer token that readers must show; without it reading is open to whoever reaches the port.
    #[serde(default)]
    pub read_token: Option<ReadToken>,
    /// Largest batch that is read, in bytes.
    #[serde(default = "body_bytes_default", deserialize_with = "body_bytes")]
    pub body_bytes_max: usize,
    /// Largest database file, in bytes; beyond it batches are refused with 507 and stay on their boxes.
    #[serde(default = "store_bytes_default", deserialize_with = "store_bytes")]
    pub store_bytes_max: u64,
}

/// PEM files for TLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate chain, the platform's own first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A box that may deliver, and the key that its batches must be signed with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolledBox {
    /// Its name, as its own configuration has it.
    pub id: BoxId,
    /// Its public key, as `weir identity` prints it: 64 hex digits.
    pub key: PublicKey,
}

/// A bearer token. It never shows itself in logs.
#[derive(Clone)]
pub struct ReadToken(String);

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read `{path}`; give its path with --config and check that this user may read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key is unknown, missing or has a value that does not fit; the source names line and key.
    #[error("`{path}` is not a valid platform configuration; correct the line below, then: weir config check {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column, key and cause.
        #[source]
        source: Box<Fault>,
    },
    /// Two `[[box]]` entries have one name.
    #[error(
        "{at}: [[box]] id = \"{id}\" stands there twice; keep the entry whose key `weir identity` prints on that box"
    )]
    BoxTwice {
        /// Where the second one is.
        at: Spot,
        /// The name.
        id: BoxId,
    },
    /// It is too long, or its drop-ins are wrong.
    #[error(transparent)]
    Layers(LayersError),
}

impl From<LayersError> for ConfigError {
    fn from(error: LayersError) -> ConfigError {
        match error {
            LayersError::Read { path, source } => ConfigError::Read { path, source },
            LayersError::Refused { path, source } => ConfigError::Parse { path, source },
            error => ConfigError::Layers(error),
        }
    }
}

/// Reads `platform.toml` and its drop-ins as one text.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::Parse`], [`ConfigError::Layers`].
pub fn layered(path: &Path) -> Result<Layered, ConfigError> {
    Ok(Layered::read(path, FILE_BYTES_MAX)?)
}

impl Config {
    /// Reads and checks a file with its drop-ins.
    ///
    /// # Errors
    /// [`ConfigError`] by cause: unreadable, not valid, a box twice.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        Config::of(&layered(path)?)
    }

    /// Checks a text that is all there is; `path` is where it came from, for errors and for relative paths.
    ///
    /// # Errors
    /// As [`Config::load`], without the reading.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        Config::of(&Layered::alone(path, text.to_owned()))
    }

    fn of(typed: &Layered) -> Result<Config, ConfigError> {
        let mut config: Config = typed.parse()?;
        let path = typed.main();
        let mut seen = BTreeSet::new();
        let mut named = config.boxes.iter().enumerate();
        if let Some((nth, twice)) = named.find(|(_, entry)| !seen.insert(entry.id.to_string())) {
            return Err(ConfigError::BoxTwice { at: typed.spot_in("box", nth, "id"), id: twice.id.clone() });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        config.state_dir = folder.join(&config.state_dir);
        if let Some(tls) = &mut config.tls {
            tls.cert = folder.join(&tls.cert);
            tls.key = folder.join(&tls.key);
        }
        Ok(config)
    }
}

impl ReadToken {
    /// Whether a reader shows this token; takes the same time wherever the first wrong byte stands.
    pub fn admits(&self, shown: &[u8]) -> bool {
        let token = self.0.as_bytes();
        let differs = token.iter().zip(shown).fold(0, |differs, (a, b)| differs | (a ^ b));
        token.len() == shown.len() && differs == 0
    }
}

impl std::fmt::Debug for ReadToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReadToken(..)")
    }
}

impl<'de> Deserialize<'de> for ReadToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = String::deserialize(deserializer)?;
        if token.len() < TOKEN_BYTES_MIN || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(D::Error::custom(format!(
                "read_token needs at least {TOKEN_BYTES_MIN} printable ASCII characters without a space; \
                 make one with: openssl rand -hex 16"
            )));
        }
        Ok(ReadToken(token))
    }
}

fn body_bytes_default() -> usize {
    BATCH_BYTES_MAX
}

fn store_bytes_default() -> u64 {
    STORE_BYTES_DEFAULT
}

fn body_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let bytes = usize::deserialize(deserializer)?;
    if !BODY_BYTES.contains(&bytes) {
        let (min, max) = BODY_BYTES.into_inner();
        return Err(D::Error::custom(format!("body_bytes_max must be {min} to {max} bytes, not {bytes}")));
    }
    Ok(bytes)
}

fn store_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = u64::deserialize(deserializer)?;
    if bytes < STORE_BYTES_MIN {
        return Err(D::Error::custom(format!("store_bytes_max must be at least {STORE_BYTES_MIN} bytes, not {bytes}")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = \"city\"\nlisten = \"127.0.0.1:0\"\nstate_dir = \"state\"\n";

    fn refused(text: &str) -> String {
        let error = Config::parse(text, Path::new("/etc/weir/platform.toml")).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}\n{source}")
    }

    #[test]
    fn the_shipped_example_is_valid() {
        let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/platform.toml"));
        let config = Config::load(example).unwrap();
        assert_eq!(config.boxes.len(), 1);
        assert!(config.read_token.is_none() && config.tls.is_none());
        assert_eq!(config.body_bytes_max, BATCH_BYTES_MAX);
        assert_eq!(config.store_bytes_max, STORE_BYTES_DEFAULT);
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let config = Config::parse(LEAST, Path::new("/etc/weir/platform.toml")).unwrap();
        assert_eq!(config.state_dir, Path::new("/etc/weir/state"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let told = refused(&format!("{LEAST}colour = 1\n"));
        assert!(told.contains("line 4") && told.contains("colour") && told.contains("weir config check"), "{told}");
    }

    #[test]
    fn bounds_are_checked_and_named() {
        for (line, cause) in [
            ("body_bytes_max = 1", "4096 to 4194304"),
            ("store_bytes_max = 1", "at least 1048576"),
            ("read_token = \"short\"", "openssl rand"),
        ] {
            let told = refused(&format!("{LEAST}{line}\n"));
            assert!(told.contains("line 4") && told.contains(cause), "{told}");
        }
    }

    #[test]
    fn a_box_stands_once_with_a_whole_key() {
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let entry = format!("[[box]]\nid = \"outfall-1\"\nkey = \"{key}\"\n");
        assert!(refused(&format!("{LEAST}{entry}{entry}")).contains("outfall-1"));
        assert!(refused(&format!("{LEAST}[[box]]\nid = \"b\"\nkey = \"00\"\n")).contains("line 6"));
    }

    #[test]
    fn a_token_admits_only_itself_and_hides() {
        let text = format!("{LEAST}read_token = \"0123456789abcdef\"\n");
        let token = Config::parse(&text, Path::new("p.toml")).unwrap().read_token.unwrap();
        assert!(token.admits(b"0123456789abcdef"));
        assert!(!token.admits(b"0123456789abcdeF") && !token.admits(b"0123456789abcde") && !token.admits(b""));
        assert!(!format!("{token:?}").contains("0123"));
    }
}
