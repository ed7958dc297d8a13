//! Whether the filter of a destination names what there is: a misspelled device, outfall or quantity would withhold what
//! somebody waits for, and nobody would be told.

use std::collections::BTreeSet;
use std::path::Path;

use control::chain;
use ingest::{Codec, DeviceTable, nearest};
use record::{OutfallCode, Period, Quantity};
use syncd::{Filter, Series};

/// The names in a filter against the device table beside `sync.toml`, if it is there, and the outfalls that the journal knows.
pub(super) fn check(
    sync: &Path,
    destination: &str,
    filter: &Filter,
    journaled: &BTreeSet<OutfallCode>,
) -> Result<(), String> {
    if filter.periods.is_some() && !filter.series.has_aggregates() {
        return Err(format!(
            "destination `{destination}`: filter.periods names aggregates, and series = \"readings\" withholds them · try: leave \
             one of both out"
        ));
    }
    let path = sync.with_file_name("devices.toml");
    if filter.is_nothing() || !path.exists() {
        return Ok(());
    }
    let table =
        gatewayd::config::load_devices(&path, &path.with_file_name("keys.toml")).map_err(|error| chain(&error))?;
    let refuse = |key: &str, name: &str, near: String| {
        format!(
            "destination `{destination}`: filter.{key}: `{name}` is not in {}: did you mean {near}?",
            path.display()
        )
    };
    for (key, names) in [("devices", &filter.devices), ("except_devices", &filter.except_devices)] {
        let unknown = names.iter().flatten().find(|name| table.by_name(name).is_none());
        if let Some(name) = unknown {
            let known = table.iter().map(|device| device.name.as_str());
            return Err(refuse(key, name.as_str(), nearest(name.as_str(), known)));
        }
    }
    let standing = table.by_outfall();
    let unknown =
        filter.outfalls.iter().flatten().find(|code| !standing.contains_key(code) && !journaled.contains(code));
    if let Some(code) = unknown {
        let known: BTreeSet<&OutfallCode> = standing.into_keys().chain(journaled).collect();
        return Err(match known.is_empty() {
            true => format!(
                "destination `{destination}`: filter.outfalls: `{code}`: no outfall has devices or a dossier · try: weir \
                 outfall add, or `outfall = \"{code}\"` of its devices in {}",
                path.display()
            ),
            false => format!(
                "destination `{destination}`: filter.outfalls: no device stands at `{code}`, and it has no dossier: did you \
                 mean {}?",
                nearest(code.as_str(), known.into_iter().map(OutfallCode::as_str))
            ),
        });
    }
    let unknown =
        filter.quantities.iter().flatten().find(|quantity| quantity.code().is_none() && !names(&table, quantity));
    unknown.map_or(Ok(()), |quantity| {
        let registered = Quantity::registry().iter().map(|(name, _)| *name);
        Err(refuse("quantities", quantity.as_str(), nearest(quantity.as_str(), registered)))
    })
}

/// Which aggregates a filter asks for that are not among those made, in words; none if there are none. Who gets both asks for
/// none in particular.
pub(crate) fn lacking(filter: &Filter, made: &BTreeSet<Period>) -> Option<String> {
    let named = filter.periods.iter().flatten().filter(|period| !made.contains(period));
    let named: Vec<String> = named.map(Period::to_string).collect();
    if !named.is_empty() {
        return Some(named.join(", "));
    }
    (filter.series == Series::Aggregates && made.is_empty()).then(|| "series = \"aggregates\"".to_owned())
}

/// Whether some codec of the table may name this quantity: it stands in its text, or what the device sends names it.
fn names(table: &DeviceTable, quantity: &Quantity) -> bool {
    let is_word = |text: &str| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.into_iter().any(|word| word == quantity.as_str())
    };
    table.iter().any(|device| {
        matches!(device.codec, Codec::SenmlJson(_) | Codec::SenmlCbor(_)) || is_word(&device.codec_text.text)
    })
}
