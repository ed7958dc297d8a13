//! `gateway.toml` and the drop-ins in `gateway.toml.d`, as one text.

use std::path::Path;

use layers::{Layered, LayersError};

use super::files::{FILE_BYTES_MAX, read};
use super::{ConfigError, GatewayFile};

/// Reads them.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Parse`], [`ConfigError::DropIns`].
pub fn layered(path: &Path) -> Result<Layered, ConfigError> {
    layered_with(path, read(path)?)
}

/// The same with this text in the place of what stands in `gateway.toml`.
///
/// # Errors
/// As [`layered`].
pub fn layered_with(path: &Path, main: String) -> Result<Layered, ConfigError> {
    Ok(Layered::with_main(path, main, FILE_BYTES_MAX)?)
}

pub(super) fn gateway_file(path: &Path) -> Result<GatewayFile, ConfigError> {
    parse_gateway(&layered(path)?)
}

pub(crate) fn parse_gateway(typed: &Layered) -> Result<GatewayFile, ConfigError> {
    Ok(typed.parse()?)
}

impl From<LayersError> for ConfigError {
    fn from(error: LayersError) -> ConfigError {
        match error {
            LayersError::Read { path, source } => ConfigError::Read { path, source },
            LayersError::TooLong { path, .. } => ConfigError::TooLong { path },
            LayersError::Refused { path, source } => ConfigError::Parse { path, source },
            error => ConfigError::DropIns(error),
        }
    }
}
