//! `page.toml`: text to a validated configuration in one step. Nothing reads the environment or the file later.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use layers::{Fault, Layered, LayersError, Spot};
use record::OutfallCode;
use serde::Deserialize;

use crate::Lang;

/// Longest file that is read: 200 codes of outfalls need 7 kB.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Most networks and host names; each is compared for every connection or request.
const ENTRIES_MAX: usize = 64;
/// Who is on this machine, on this link, or in a network that no router of the internet carries (RFC 1918, 3927, 4193, 4291).
const SITE: [&str; 8] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// What the page is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port of the page.
    pub listen: SocketAddr,
    /// Whether the whole internet may be where it listens or who may ask.
    pub public: bool,
    /// Networks whose hosts may ask.
    pub networks: Vec<IpNet>,
    /// Host names by which the page may be asked for, beside addresses.
    pub names: Vec<String>,
    /// The outfalls that are shown; empty: all, and devices that stand at none.
    pub outfalls: Vec<OutfallCode>,
    /// For readers whose browser asks for neither language.
    pub lang: Lang,
    /// Folder of journal, outbox and identity. A relative path starts at the folder of the file.
    pub state_dir: PathBuf,
    /// Folder of the daemons' control sockets. A relative path starts at the folder of the file.
    pub run_dir: PathBuf,
    /// Where the platforms' keys stand. A relative path starts at the folder of the file.
    pub sync_file: PathBuf,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8_080)),
            public: false,
            networks: site().collect(),
            names: Vec::new(),
            outfalls: Vec::new(),
            lang: Lang::Zh,
            state_dir: "/var/lib/weir".into(),
            run_dir: "/run/weir".into(),
            sync_file: "sync.toml".into(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read `{path}` · try: weir config template page, or give its path with --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is no configuration by its size.
    #[error("`{path}` goes beyond {max} bytes, the most that is read · try: check that --config names the right file")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        max: u64,
    },
    /// A key is unknown or has a value that does not fit; the source names line, key and range.
    #[error("`{path}` is not a valid configuration of the page · try: correct the line below, then weir config check")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column, key and cause.
        source: Box<Fault>,
    },
    /// It would listen where the internet may be.
    #[error(
        "{at}: listen = \"{listen}\" is no address of this machine or of a site's own network · try: the box's address \
         there, or public = true if the page is for everybody"
    )]
    PublicListen {
        /// Where.
        at: Spot,
        /// The address.
        listen: SocketAddr,
    },
    /// It would answer the internet.
    #[error(
        "{at}: networks has {network}, which is no site's own network · try: the site's, as in 192.168.1.0/24, or \
         public = true if the page is for everybody"
    )]
    PublicNetwork {
        /// Where.
        at: Spot,
        /// The network.
        network: IpNet,
    },
    /// No name of a host.
    #[error("{at}: names has \"{name}\", which is no host name · try: the part of the address between // and the port")]
    Name {
        /// Where.
        at: Spot,
        /// The text.
        name: String,
    },
    /// More than is compared.
    #[error("{at}: {key} has {count} entries, at most {max} are taken · try: wider networks, fewer names")]
    TooMany {
        /// Where.
        at: Spot,
        /// Which.
        key: &'static str,
        /// How many.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// Its drop-ins.
    #[error(transparent)]
    DropIns(LayersError),
}

/// Reads `page.toml` and its drop-ins as one text.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLarge`], [`ConfigError::Parse`], [`ConfigError::DropIns`].
pub fn layered(path: &Path) -> Result<Layered, ConfigError> {
    Layered::read(path, FILE_BYTES_MAX).map_err(|error| match error {
        // A page without a file of its own is one that nobody has set up yet.
        LayersError::Read { path: of, source } if of == path => ConfigError::Read { path: of, source },
        error => refused(error),
    })
}

fn refused(error: LayersError) -> ConfigError {
    match error {
        LayersError::TooLong { path, bytes_max } => ConfigError::TooLarge { path, max: bytes_max },
        LayersError::Refused { path, source } => ConfigError::Parse { path, source },
        error => ConfigError::DropIns(error),
    }
}

impl Config {
    /// Reads and checks a file with its drop-ins.
    ///
    /// # Errors
    /// [`ConfigError`] by cause.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        Config::of(&layered(path)?)
    }

    fn of(typed: &Layered) -> Result<Config, ConfigError> {
        let mut config: Config = typed.parse().map_err(refused)?;
        let path = typed.main();
        for (key, count) in [("networks", config.networks.len()), ("names", config.names.len())] {
            if count > ENTRIES_MAX {
                return Err(ConfigError::TooMany { at: typed.spot(key), key, count, max: ENTRIES_MAX });
            }
        }
        if let Some(name) = config.names.iter().find(|name| !is_host_name(name)) {
            return Err(ConfigError::Name { at: typed.spot("names"), name: name.chars().take(64).collect() });
        }
        if !config.public {
            if !site().any(|network| network.contains(&config.listen.ip())) {
                return Err(ConfigError::PublicListen { at: typed.spot("listen"), listen: config.listen });
            }
            let beyond = |network: &&IpNet| !site().any(|own| own.contains(*network));
            if let Some(network) = config.networks.iter().find(beyond) {
                return Err(ConfigError::PublicNetwork { at: typed.spot("networks"), network: *network });
            }
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for place in [&mut config.state_dir, &mut config.run_dir, &mut config.sync_file] {
            *place = folder.join(&*place);
        }
        Ok(config)
    }

    /// Whether a host with this address may ask.
    pub fn admits(&self, host: IpAddr) -> bool {
        let host = host.to_canonical();
        self.networks.iter().any(|network| network.contains(&host))
    }

    /// Whether the page may be asked for by what stands in `Host` (RFC 9110 §7.2): an address, `localhost` or one of `names`. A
    /// page of elsewhere that has its own name point here (DNS rebinding) is not answered.
    pub fn is_named(&self, host: &str) -> bool {
        let without_port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let name = without_port.map_or(host, |(name, _)| name);
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        address.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Whether an outfall is shown.
    pub fn shows(&self, outfall: Option<&OutfallCode>) -> bool {
        self.outfalls.is_empty() || outfall.is_some_and(|code| self.outfalls.contains(code))
    }
}

fn site() -> impl Iterator<Item = IpNet> {
    SITE.iter().filter_map(|network| network.parse().ok())
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        let typed = Layered::alone(Path::new("/etc/weir/page.toml"), text.to_owned());
        Config::of(&typed).map_err(|error| error.to_string())
    }

    #[test]
    fn what_ships_is_what_an_empty_file_means() {
        let shipped = parse(include_str!("../../../config/page.toml")).unwrap();
        assert_eq!(format!("{shipped:?}"), format!("{:?}", parse("").unwrap()));
        assert_eq!(shipped.sync_file, Path::new("/etc/weir/sync.toml"));
        assert_eq!(SITE.len(), site().count());
    }

    #[test]
    fn the_internet_is_let_in_by_no_accident() {
        for listen in ["0.0.0.0:80", "[::]:80", "203.0.113.9:80", "[2001:db8::1]:80"] {
            let text = format!("listen = \"{listen}\"\n");
            assert!(parse(&text).unwrap_err().contains("public = true"), "{listen}");
            assert!(parse(&format!("{text}public = true\n")).is_ok());
        }
        for network in ["0.0.0.0/0", "192.0.0.0/8", "::/0"] {
            assert!(
                parse(&format!("networks = [\"{network}\"]\n")).unwrap_err().contains("is no site's own"),
                "{network}"
            );
        }
        assert!(parse("listen = \"192.168.4.1:80\"\nnetworks = [\"192.168.4.0/24\"]\n").is_ok());
        for wrong in ["listne = \"127.0.0.1:80\"", "names = [\"a b\"]", "names = [\"\"]", "outfalls = [\"x y\"]"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_asks_and_by_which_name_is_checked() {
        let config = parse("networks = [\"192.168.4.0/24\"]\nnames = [\"weir.lan\"]\noutfalls = [\"A-1\"]").unwrap();
        let admitted = |host: &str| config.admits(host.parse().unwrap());
        assert!(
            admitted("192.168.4.7") && admitted("::ffff:192.168.4.7") && !admitted("192.168.5.7") && !admitted("::1")
        );
        for named in
            ["192.168.4.1", "192.168.4.1:8080", "[::1]:8080", "localhost", "LOCALHOST:1", "weir.LAN", "weir.lan:80"]
        {
            assert!(config.is_named(named), "{named}");
        }
        for foreign in
            ["", "evil.example", "weir.lan.evil.example", "127.0.0.1.evil.example", "weir.lan@evil:80", "a:b"]
        {
            assert!(!config.is_named(foreign), "{foreign}");
        }
        let code = |text| OutfallCode::new(text).unwrap();
        assert!(config.shows(Some(&code("A-1"))) && !config.shows(Some(&code("B-2"))) && !config.shows(None));
    }
}
