//! Files that were changed since their daemons read them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use control::chain;
use gatewayd::{GatewayConfig, Loaded};
use syncd::SyncConfig;
use versions::{Place, Versions, sha256};

use crate::doctor::check::words;
use crate::doctor::facts::{Changed, Fact, Places, Unseen};

/// Compares each text with the version by which its daemon works. Files that are refused are another check's.
pub(super) fn look(places: &Places) -> Fact<Vec<Changed>> {
    let mut changed = Vec::new();
    if let Ok(Loaded { config, texts }) = GatewayConfig::load_with(&places.config, &BTreeMap::new()) {
        changed.extend(since(&config.versions_path(), &texts)?);
    }
    if let Ok(syncd::Loaded { config, text }) = SyncConfig::load_or_last_good(&places.sync_config)
        && config.instead.is_none()
    {
        changed.extend(since(&config.versions_path(), &[text])?);
    }
    Ok(changed)
}

fn since(folder: &Path, texts: &[(Place, String)]) -> Fact<Vec<Changed>> {
    let kept = Versions::open(folder).map_err(|error| Unseen::Failed(chain(&error)))?;
    let is_other = |(place, text): &(Place, String)| {
        let good = kept.good(place).filter(|good| good.sha256 != sha256(text))?;
        Some(Changed { file: place.file, path: place.path.clone(), in_force: good.id().to_string() })
    };
    Ok(texts.iter().filter_map(is_other).collect())
}

/// Reads `page.toml` as the page does.
pub(super) fn page(places: &Places) -> Fact<()> {
    let path = places.config.with_file_name("page.toml");
    page::Config::load(&path).map(drop).map_err(|error| match &error {
        page::ConfigError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
            Unseen::Absent(words("no page is wanted", "未启用页面"))
        }
        page::ConfigError::Read { path, source }
        | page::ConfigError::DropIns(layers::LayersError::Read { path, source })
            if source.kind() == ErrorKind::PermissionDenied =>
        {
            Unseen::of(source, &path.display().to_string())
        }
        _ => Unseen::Failed(chain(&error)),
    })
}
