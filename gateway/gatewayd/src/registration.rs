//! What is asked of the register of outfalls over the control socket.

use control::Uid;
use record::{Actor, Audit, Dossier};
use serde::Deserialize;
use serde_json::Value;

/// `{"do":"register","how":"add","dossiers":[{...}],"reason":TEXT}`: dossiers, all of which get a new version, or none. Who
/// asks the kernel says, whatever the request does.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) by: Actor,
    pub(crate) how: How,
    pub(crate) dossiers: Vec<Dossier>,
    /// `"version":N`: only if this version is in force, so that two who edit at a time do not undo each other.
    pub(crate) version: Option<u32>,
    pub(crate) reason: String,
}

/// What may be there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// Outfalls that have no dossier yet.
    Add,
    /// Outfalls that have one, and another one.
    Edit,
    /// Either; a dossier that changes nothing is passed over.
    Import,
}

impl Registration {
    /// Reads a request.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(request: &Value, uid: Uid) -> Result<Registration, String> {
        let by = Actor::User(uid.ok_or("the kernel does not say who asks")?);
        let how = How::deserialize(&request["how"]).map_err(|_| "`how` is not add, edit or import")?;
        let reason = request["reason"].as_str().unwrap_or_default().trim().to_owned();
        if reason.is_empty() {
            return Err("a dossier is not changed without a reason · try: the same with --reason TEXT".into());
        }
        if reason.len() > Audit::TEXT_BYTES_MAX {
            return Err(format!("the reason is too long: use at most {} bytes", Audit::TEXT_BYTES_MAX));
        }
        let dossiers = request["dossiers"].as_array().filter(|all| !all.is_empty());
        let dossiers = dossiers.ok_or("`dossiers` is missing: give one at least")?;
        let dossiers = dossiers.iter().map(dossier).collect::<Result<_, _>>()?;
        let version = request["version"].as_u64().map(u32::try_from).transpose();
        let version = version.map_err(|_| "`version` is not the number of a version")?;
        Ok(Registration { by, how, dossiers, version, reason })
    }
}

fn dossier(value: &Value) -> Result<Dossier, String> {
    let named = || value["code"].as_str().unwrap_or("?").chars().take(40).collect::<String>();
    let dossier = Dossier::deserialize(value).map_err(|error| format!("dossier `{}`: {error}", named()))?;
    let bytes = dossier.bytes();
    if bytes > Dossier::BYTES_MAX {
        let max = Dossier::BYTES_MAX;
        return Err(format!(
            "dossier `{}` has {bytes} bytes in its stored form, at most {max} are taken",
            dossier.code
        ));
    }
    Ok(dossier)
}
