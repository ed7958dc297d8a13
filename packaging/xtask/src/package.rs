//! What is in the package, and where.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::architecture::Architecture;
use crate::command::{output, run};
use crate::error::{PackageError, file};
use crate::tree::Tree;
use crate::{changelog, program};

/// Who answers for it, as git names the authors.
const MAINTAINER: &str = "Weir maintainers <maintainers@weir.invalid>";
/// The package's own revision of a version of Weir.
const REVISION: &str = "1";

/// What is to be built.
pub(crate) struct Order {
    /// For which kind of machine.
    pub(crate) architecture: Architecture,
    /// A program that is built already.
    pub(crate) program: Option<PathBuf>,
    /// Another version than the workspace's.
    pub(crate) version: Option<String>,
    /// Where the package goes.
    pub(crate) out: Option<PathBuf>,
    /// Whether it is to be small.
    pub(crate) compressed: bool,
}

/// The repository, the order, and what every part needs to know.
struct Build<'a> {
    root: PathBuf,
    order: &'a Order,
    version: String,
    epoch: u64,
    tree: Tree,
    /// What is made on the way.
    scratch: PathBuf,
}

/// Builds the package; its path.
///
/// # Errors
/// [`PackageError`] by cause.
pub(crate) fn build(order: &Order) -> Result<PathBuf, PackageError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().map_err(file("find", &root))?;
    let out = order.out.clone().unwrap_or_else(|| root.join("target/package"));
    let version = version(order)?;
    let architecture = order.architecture.debian();
    let scratch = out.join(format!("weir_{version}_{architecture}.{}", std::process::id()));
    let tree = Tree::new(scratch.join("root"))?;
    let build = Build { epoch: epoch(&root)?, version, order, tree, scratch, root };
    let program = match &order.program {
        Some(program) => program.clone(),
        None => program::build(&build.root, order.architecture)?,
    };
    build.program(&program)?;
    build.system()?;
    build.documents()?;
    build.control(&program)?;
    build.tree.settle(build.epoch)?;
    let package = out.join(format!("weir_{}_{architecture}.deb", build.version));
    // Whole when it gets its name, and two builds at one time do not meet.
    let unnamed = build.scratch.join("deb");
    // One thread: how many there are decides how xz cuts, and so the bytes.
    let mut deb = Command::new("dpkg-deb");
    deb.args(["--root-owner-group", "--threads-max=1", if order.compressed { "-Zxz" } else { "-Znone" }, "--build"]);
    deb.arg(build.tree.root()).arg(&unnamed);
    run(deb.env("SOURCE_DATE_EPOCH", build.epoch.to_string()).env("LC_ALL", "C.UTF-8"))?;
    fs::rename(&unnamed, &package).map_err(file("write", &package))?;
    fs::remove_dir_all(&build.scratch).map_err(file("remove", &build.scratch))?;
    Ok(package)
}

fn version(order: &Order) -> Result<String, PackageError> {
    let version = order.version.clone().unwrap_or_else(|| format!("{}-{REVISION}", env!("CARGO_PKG_VERSION")));
    let sound = version.starts_with(|first: char| first.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || ".+~-".contains(c));
    if sound { Ok(version) } else { Err(PackageError::Version(version)) }
}

/// What stands for now in everything that is built (reproducible-builds.org): as asked for, else the last commit's time.
fn epoch(root: &Path) -> Result<u64, PackageError> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(asked) => asked,
        Err(_) => output(Command::new("git").arg("-C").arg(root).args(["log", "-1", "--format=%ct"]))?,
    };
    text.trim().parse().map_err(|_| PackageError::Epoch(text.trim().to_owned()))
}

impl Build<'_> {
    fn program(&self, program: &Path) -> Result<(), PackageError> {
        let place = self.tree.place("usr/bin/weir")?;
        program::strip(program, &place, self.order.architecture)?;
        self.tree.put("usr/bin/weir", 0o755, &fs::read(&place).map_err(file("read", &place))?)?;
        let manual = self.scratch.join("manual");
        program::write_manual(program, &manual, self.order.architecture)?;
        let completions = [
            ("weir.bash", "usr/share/bash-completion/completions/weir"),
            ("_weir", "usr/share/zsh/vendor-completions/_weir"),
            ("weir.fish", "usr/share/fish/vendor_completions.d/weir.fish"),
        ];
        for (name, place) in completions {
            self.tree.copy(&manual.join(name), place)?;
        }
        for page in manual.read_dir().map_err(file("list", &manual))? {
            let page = page.map_err(file("list", &manual))?.path();
            let name = page.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".1") {
                let text = fs::read(&page).map_err(file("read", &page))?;
                self.tree.put_gzipped(&format!("usr/share/man/man1/{name}.gz"), &text)?;
            }
        }
        Ok(())
    }

    /// Units and users.
    fn system(&self) -> Result<(), PackageError> {
        let debian = self.root.join("packaging/debian");
        self.tree.copy_all(&self.root.join("packaging/systemd"), "usr/lib/systemd/system")?;
        self.tree.copy(&debian.join("weir.sysusers"), "usr/lib/sysusers.d/weir.conf")?;
        self.tree.copy(&debian.join("weir.tmpfiles"), "usr/lib/tmpfiles.d/weir.conf")?;
        let may_send = self.root.join("packaging/sms/weir-sms.rules");
        self.tree.copy(&may_send, "usr/share/polkit-1/rules.d/weir-sms.rules")?;
        self.tree.copy(&debian.join("lintian-overrides"), "usr/share/lintian/overrides/weir")
    }

    /// What `postinst` puts into /etc/weir at the first installation, and what is only there to be read.
    fn documents(&self) -> Result<(), PackageError> {
        let config = self.root.join("config");
        for name in ["gateway.toml", "devices.toml", "keys.toml", "rules.toml"] {
            self.tree.copy(&config.join(name), &format!("usr/share/weir/config/{name}"))?;
        }
        for name in [
            "sync.toml",
            "notify.toml",
            "page.toml",
            "platform.toml",
            "outfall.toml",
            "setup.toml",
            "rules.test.toml",
            "upgrade.toml",
        ] {
            self.tree.copy(&config.join(name), &format!("usr/share/doc/weir/examples/{name}"))?;
        }
        for (drop_in, name) in [
            ("packaging/relays/weir-gateway-relays.conf", "relays.conf"),
            ("packaging/login/sshd-technicians.conf", "sshd-technicians.conf"),
        ] {
            self.tree.copy(&self.root.join(drop_in), &format!("usr/share/doc/weir/examples/{name}"))?;
        }
        for folder in ["codecs", "rules.d"] {
            self.tree.copy_all(&config.join(folder), &format!("usr/share/doc/weir/examples/{folder}"))?;
        }
        self.tree.copy(&self.root.join("packaging/debian/copyright"), "usr/share/doc/weir/copyright")?;
        let crates = program::crates(&self.root, self.order.architecture)?;
        self.tree.put_gzipped("usr/share/doc/weir/crates.txt.gz", crates.as_bytes())?;
        let date =
            output(Command::new("date").args(["-u", "-R", "-d", &format!("@{}", self.epoch)]).env("LC_ALL", "C"))?;
        let fragments = self.root.join("packaging/changelog.d");
        let entry = changelog::entry(&fragments, &self.version, MAINTAINER, date.trim())?;
        self.tree.put_gzipped("usr/share/doc/weir/changelog.Debian.gz", entry.as_bytes())
    }

    /// What dpkg reads.
    fn control(&self, program: &Path) -> Result<(), PackageError> {
        let debian = self.root.join("packaging/debian");
        let files = self.tree.files()?;
        let bytes = files.iter().map(|path| fs::metadata(path).map(|of| of.len()).map_err(file("read", path)));
        let kib: u64 = bytes.collect::<Result<Vec<u64>, _>>()?.iter().map(|bytes| bytes.div_ceil(1_024)).sum();
        let names = files.iter().filter_map(|path| path.strip_prefix(self.tree.root()).ok());
        let sums = output(Command::new("md5sum").arg("--").args(names).current_dir(self.tree.root()))?;
        let described = debian.join("description");
        let described = fs::read_to_string(&described).map_err(file("read", &described))?;
        let fields = [
            ("Package", "weir".to_owned()),
            ("Version", self.version.clone()),
            ("Architecture", self.order.architecture.debian().to_owned()),
            ("Maintainer", MAINTAINER.to_owned()),
            ("Installed-Size", kib.to_string()),
            ("Depends", format!("{}, systemd (>= 252)", program::libraries(program)?)),
            ("Suggests", "modemmanager, polkitd".to_owned()),
            ("Section", "net".to_owned()),
            ("Priority", "optional".to_owned()),
            ("Description", described.trim().to_owned()),
        ];
        let text: String = fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        self.tree.put("DEBIAN/control", 0o644, text.as_bytes())?;
        self.tree.put("DEBIAN/md5sums", 0o644, sums.as_bytes())?;
        for script in ["postinst", "prerm", "postrm"] {
            let path = debian.join(script);
            self.tree.put(&format!("DEBIAN/{script}"), 0o755, &fs::read(&path).map_err(file("read", &path))?)?;
        }
        Ok(())
    }
}
