//! The devices of the shipped files: examples whose passwords are published, which no box may keep.

use std::fs;
use std::path::Path;

use gatewayd::config::{check_devices, device_place};
use versions::replace;

use super::error::SetupError;
use super::site::Site;
use super::step::{Came, Found, table};
use crate::error::CommandError;
use crate::lang::Lang;

/// The files as they ship.
const DEVICES_SHIPPED: &str = include_str!("../../../../config/devices.toml");
const KEYS_SHIPPED: &str = include_str!("../../../../config/keys.toml");
/// What stands in their place until devices come.
const DEVICES_EMPTY: &str = "# Who may send to this box: weir device add, or by hand as weir config template devices explains.\n\
                             # 本机设备表：用 weir device add 添加，或按 weir config template devices 的说明手工填写。\n";
const KEYS_EMPTY: &str = "# The devices' secrets, for the gateway's eyes alone: weir config template keys explains them.\n\
                          # 设备密码和密钥，仅网关可读；说明见 weir config template keys。\n";
/// Rights of files that were not there, as the package has them.
const MODE: u32 = 0o640;
const MODE_KEYS: u32 = 0o600;

/// What a box has once they are gone.
fn facts(lang: Lang) -> String {
    lang.pick("no published password on this box", "本机无公开的示例密码").to_owned()
}

/// Whether they are there.
pub(super) fn look(site: &Site<'_>, lang: Lang) -> Result<Found, CommandError> {
    let place = device_place(&site.file("gateway.toml")).map_err(CommandError::GatewayConfig)?;
    let is_shipped = |path: &Path, shipped: &str| fs::read_to_string(path).is_ok_and(|text| text == shipped);
    let shipped = is_shipped(&place.devices, DEVICES_SHIPPED) || is_shipped(&place.keys, KEYS_SHIPPED);
    Ok(if shipped { Found::Todo(facts(lang)) } else { Found::Done(facts(lang)) })
}

/// Takes them out, the devices first: a power cut between leaves keys of nobody.
pub(super) fn take_out(site: &Site<'_>, lang: Lang) -> Result<Came, CommandError> {
    let place = device_place(&site.file("gateway.toml")).map_err(CommandError::GatewayConfig)?;
    let write = |path: &Path, text: &str, mode| {
        let failed = |source| CommandError::from(SetupError::Write { path: path.to_owned(), source });
        replace(path, text.as_bytes(), mode).map_err(failed)
    };
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    if read(&place.devices) == DEVICES_SHIPPED {
        write(&place.devices, DEVICES_EMPTY, MODE)?;
    }
    if read(&place.keys) == KEYS_SHIPPED {
        if check_devices(&place.devices, &read(&place.devices), &place.keys, KEYS_EMPTY).is_err() {
            // Somebody made the examples devices of their own: without these keys nothing would start.
            let text = lang.pick("keys.toml has published keys: replace them", "keys.toml 含公开的示例密钥，请更换");
            return Ok(Came::NotWell(text.to_owned()));
        }
        write(&place.keys, KEYS_EMPTY, MODE_KEYS)?;
    }
    Ok(Came::Done(facts(lang)))
}

/// The names in the device table, unless they are only those of the examples.
pub(super) fn own_devices(site: &Site<'_>) -> Result<Vec<String>, CommandError> {
    let place = device_place(&site.file("gateway.toml")).map_err(CommandError::GatewayConfig)?;
    match fs::read_to_string(&place.devices).is_ok_and(|text| text == DEVICES_SHIPPED) {
        true => Ok(Vec::new()),
        false => table(site),
    }
}
