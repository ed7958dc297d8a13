//! Codecs that ship with the program, by name: what `config/codecs` has, and those that need no settings.

/// By name, each as the table under `[device.codec]`.
const SHIPPED: [(&str, &str); 11] = [
    ("senml_json", "kind = \"senml_json\"\n"),
    ("senml_cbor", "kind = \"senml_cbor\"\n"),
    ("cayenne_lpp", "kind = \"cayenne_lpp\"\n"),
    ("decentlab-dl-ctd10", include_str!("../../../../config/codecs/decentlab-dl-ctd10.toml")),
    ("decentlab-dl-ntu", include_str!("../../../../config/codecs/decentlab-dl-ntu.toml")),
    ("decentlab-dl-optod", include_str!("../../../../config/codecs/decentlab-dl-optod.toml")),
    ("decentlab-dl-pheht", include_str!("../../../../config/codecs/decentlab-dl-pheht.toml")),
    ("decentlab-dl-pr26", include_str!("../../../../config/codecs/decentlab-dl-pr26.toml")),
    ("dragino-ldds75", include_str!("../../../../config/codecs/dragino-ldds75.toml")),
    ("milesight-em310-udl", include_str!("../../../../config/codecs/milesight-em310-udl.toml")),
    ("milesight-em500-swl", include_str!("../../../../config/codecs/milesight-em500-swl.toml")),
];

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The text of one.
pub(super) fn text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

    use super::*;

    #[test]
    fn every_codec_of_the_folder_is_there_and_works_in_a_table() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/codecs");
        let stem = |entry: std::fs::DirEntry| entry.path().file_stem().unwrap().to_string_lossy().into_owned();
        let files: BTreeSet<String> = folder.read_dir().unwrap().map(|entry| stem(entry.unwrap())).collect();
        let shipped: BTreeSet<String> = names().map(str::to_owned).collect();
        assert!(files.is_subset(&shipped), "{files:?}");
        for (name, text) in SHIPPED {
            let mut device = Table::new();
            device.insert("name", value("x"));
            device.insert("mqtt", Item::Table(Table::new()));
            let mut codec = text.parse::<DocumentMut>().unwrap().into_table();
            super::super::section::forget_place(&mut codec);
            device.insert("codec", Item::Table(codec));
            let mut list = ArrayOfTables::new();
            list.push(device);
            let mut table = DocumentMut::new();
            table.insert("device", Item::ArrayOfTables(list));
            let keys = "[x]\npassword = \"river-otter-7\"\n";
            let read = ingest::DeviceTable::from_toml(&table.to_string(), keys, &BTreeMap::new());
            assert!(read.is_ok(), "{name}: {read:?}\n{table}");
        }
    }
}
