//! Words that were probably meant.

/// How many are offered: more is a list to read, not a hint.
const OFFERED: usize = 3;

/// The [`OFFERED`] known words nearest to `word` by edit distance, letter case aside, as "`mg/L`, `ug/L`, `ng/L`".
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let word = word.to_lowercase();
    let mut ranked: Vec<(usize, &str)> =
        known.map(|k| (strsim::damerau_levenshtein(&word, &k.to_lowercase()), k)).collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    let offered: Vec<String> = ranked.iter().take(OFFERED).map(|(_, k)| format!("`{k}`")).collect();
    offered.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_what_was_probably_meant() {
        assert_eq!(nearest("MG/l", ["ug/L", "mg/L", "m3/h", "Cel"].into_iter()), "`mg/L`, `ug/L`, `m3/h`");
        assert_eq!(nearest("x", [].into_iter()), "");
    }
}
