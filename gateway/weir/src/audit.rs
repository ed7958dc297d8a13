//! Having the gateway journal an order before it is carried out.

use std::path::Path;

use record::{Act, Seq};
use serde_json::Value;

use crate::error::CommandError;

/// Has the gateway journal it in the name of whoever typed this; gives the number of the record.
pub(crate) fn order(run_dir: &Path, act: &Act, reason: &str) -> Result<Seq, CommandError> {
    let mut request = serde_json::to_value(act).map_err(|error| CommandError::Order(error.to_string()))?;
    request["do"] = "audit".into();
    request["reason"] = reason.into();
    let answer: Value = control::ask(&run_dir.join("gateway.sock"), &request).map_err(CommandError::Control)?;
    let seq = answer["seq"].as_u64().map(Seq);
    seq.ok_or_else(|| CommandError::Order("the gateway gave no number".into()))
}
