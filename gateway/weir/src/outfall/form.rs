//! Dossiers in files: TOML for one, JSON for one or many, CSV for spreadsheets, GeoJSON (RFC 7946) for maps.

mod geojson;
mod spreadsheet;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use journal::OUTFALLS_MAX;
use record::Dossier;

use crate::lang::Lang;

/// Longest file, in bytes: some times what a box may hold.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// One dossier.
    Toml,
    /// One dossier, or an array of them.
    Json,
    /// A line for each outfall, UTF-8 with a byte order mark; lists stand in a cell as JSON.
    Csv,
    /// A feature for each outfall.
    Geojson,
}

/// Why a file is refused. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormError {
    /// Cannot be read.
    #[error("failed to read `{path}` · try: check the path")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Too long.
    #[error("`{path}` has more than {FILE_BYTES_MAX} bytes, which dossiers of {OUTFALLS_MAX} outfalls never need")]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// The name does not say.
    #[error("`{path}`: its name does not say what it is · try: --format toml, json, csv or geojson")]
    Unnamed {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is wrong.
    #[error("`{path}`, line {line}: {why} · try: weir outfall show CODE --toml, or config/outfall.toml for an example")]
    Line {
        /// The file.
        path: PathBuf,
        /// Where.
        line: u64,
        /// What.
        why: String,
    },
    /// A column that is not known.
    #[error("`{path}`: column `{column}` is not known · known: {}", spreadsheet::known())]
    Column {
        /// The file.
        path: PathBuf,
        /// Its heading.
        column: String,
    },
    /// One of many is wrong.
    #[error("`{path}`, feature {number} (`{code}`): {why}")]
    Feature {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        number: usize,
        /// Its code, as far as it has one.
        code: String,
        /// What.
        why: String,
    },
    /// Not one.
    #[error("`{path}` has {count} dossiers, and one is wanted · try: weir outfall import {path} --reason TEXT")]
    Many {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
}

impl Form {
    /// As asked for, else as the file's name says.
    pub(crate) fn of(path: &Path, asked: Option<Form>) -> Result<Form, FormError> {
        let by_name = || match path.extension()?.to_str()? {
            "toml" => Some(Form::Toml),
            "json" => Some(Form::Json),
            "csv" => Some(Form::Csv),
            "geojson" => Some(Form::Geojson),
            _ => None,
        };
        asked.or_else(by_name).ok_or_else(|| FormError::Unnamed { path: path.to_owned() })
    }

    /// Reads a file.
    pub(crate) fn read(self, path: &Path) -> Result<Vec<Dossier>, FormError> {
        let failed = |source| FormError::Read { path: path.to_owned(), source };
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(FormError::Long { path: path.to_owned() });
        }
        self.parse(text.strip_prefix('\u{feff}').unwrap_or(&text), path)
    }

    fn parse(self, text: &str, path: &Path) -> Result<Vec<Dossier>, FormError> {
        let wrong = |line: u64, why: String| FormError::Line { path: path.to_owned(), line, why };
        match self {
            Form::Toml => {
                let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count() as u64;
                let dossier = toml::from_str::<Dossier>(text);
                let said = |error: toml::de::Error| {
                    wrong(error.span().map_or(1, |span| line(span.start)), error.message().trim().to_owned())
                };
                Ok(vec![dossier.map_err(said)?])
            }
            Form::Json => {
                let is_list = text.trim_start().starts_with('[');
                let read = match is_list {
                    true => serde_json::from_str::<Vec<Dossier>>(text),
                    false => serde_json::from_str::<Dossier>(text).map(|dossier| vec![dossier]),
                };
                read.map_err(|error| wrong(error.line() as u64, error.to_string()))
            }
            Form::Csv => spreadsheet::parse(text, path),
            Form::Geojson => geojson::parse(text, path),
        }
    }

    /// The text of a file with these dossiers.
    pub(crate) fn write(self, dossiers: &[Dossier], lang: Lang) -> String {
        match self {
            Form::Toml => dossiers.first().map(toml_text).unwrap_or_default(),
            // A dossier has texts, numbers and lists of them: nothing that JSON lacks.
            Form::Json => serde_json::to_string_pretty(dossiers).unwrap_or_default() + "\n",
            Form::Csv => spreadsheet::text(dossiers, lang),
            Form::Geojson => geojson::text(dossiers),
        }
    }
}

/// One dossier as a file that `weir outfall edit` takes.
pub(crate) fn toml_text(dossier: &Dossier) -> String {
    // Nor that TOML lacks: what is not registered is left out.
    toml::to_string(dossier).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn sample() -> Dossier {
        serde_json::from_str(include_str!("../../../../sync/record/tests/outfall.json")).unwrap()
    }

    fn least() -> Dossier {
        toml::from_str(
            "code = 'A-1'\nname = 'a, \"quoted\"'\nclass = '其他排口'\nstate = 'planned'\nwater.name = 'x'\n\
             position = { longitude = 131.5, latitude = -44, datum = 'WGS-84' }",
        )
        .unwrap()
    }

    #[test]
    fn every_form_comes_back() {
        let (one, many) = (vec![sample()], vec![sample(), least()]);
        let back =
            |form: Form, dossiers: &[Dossier], lang| form.parse(&form.write(dossiers, lang), Path::new("f")).unwrap();
        for lang in [Lang::En, Lang::Zh] {
            assert_eq!(back(Form::Toml, &one, lang), one);
            assert_eq!(back(Form::Toml, &many[1..], lang), many[1..]);
            for form in [Form::Json, Form::Csv, Form::Geojson] {
                assert_eq!(back(form, &many, lang), many, "{form:?}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let check = |form: Form, text: &str, expected: Expect| {
            let said = form.parse(text, Path::new("f")).map_or_else(|error| error.to_string(), |_| "taken".into());
            expected.assert_eq(said.split(" · ").next().unwrap());
        };
        check(
            Form::Toml,
            "code = 'A-1'\nname = 1",
            expect!["`f`, line 2: invalid type: integer `1`, expected a string"],
        );
        check(
            Form::Toml,
            "code = 'A-1'\nnam = 'x'",
            expect![
                "`f`, line 2: unknown field `nam`, expected one of `code`, `local_code`, `name`, `class`, `state`, `state_since`, `position`, `place`, `water`, `channel`, `discharge`, `flood_safety`, `dischargers`, `responsible`, `limit_sets`, `river_chiefs`, `remediation`, `note`"
            ],
        );
        check(
            Form::Json,
            "[\n{\"code\": \"a\"}]",
            expect!["`f`, line 2: `a` is not the code of an outfall: use 1 to 32 of A-Z 0-9 - at line 2 column 13"],
        );
        let heading = "code,name,class,state,water.name,position.longitude,position.latitude,position.datum";
        let row = |cells: &str| format!("{heading}\nA-1,x,other,planned,w,131,44,CGCS2000\n{cells}\n");
        check(
            Form::Csv,
            &row("A-2,x,other,planned,w,131,144,CGCS2000"),
            expect!["`f`, line 3: `position.latitude`: 144 is not within -90 to 90 degrees"],
        );
        check(
            Form::Csv,
            &row("A-2,x,other,planned,w,131,44,GCJ-02"),
            expect![
                "`f`, line 3: `position.datum`: GCJ-02 is shifted by some hundreds of metres and cannot be undone exactly: give the position in CGCS2000 or WGS-84"
            ],
        );
        check(Form::Csv, &row("A-2,,other,planned,w,131,44,CGCS2000"), expect!["`f`, line 3: missing field `name`"]);
        check(Form::Csv, &row("A-2,x"), expect!["`f`, line 3: not a row of CSV with as many cells as the heading"]);
        check(Form::Csv, "code,colour\n", expect!["`f`: column `colour` is not known"]);
        check(
            Form::Csv,
            &format!("{heading},flood_safety\nA-1,x,other,planned,w,131,44,CGCS2000,maybe"),
            expect!["`f`, line 2: `flood_safety`: `maybe` is neither yes (true, 是, 1) nor no (false, 否, 0)"],
        );
        check(
            Form::Csv,
            &format!("{heading},river_chiefs\nA-1,x,other,planned,w,131,44,CGCS2000,[1"),
            expect!["`f`, line 2: `river_chiefs`: no list in JSON: EOF while parsing a list at line 1 column 2"],
        );
        check(
            Form::Geojson,
            "{\"type\": \"FeatureCollection\"",
            expect!["`f`, line 1: EOF while parsing an object at line 1 column 28"],
        );
        check(
            Form::Geojson,
            "{\"type\": \"Feature\"}",
            expect!["`f`, line 1: no FeatureCollection with `features` (RFC 7946)"],
        );
        let feature = |geometry: &str| {
            format!(
                "{{\"type\":\"FeatureCollection\",\"features\":[{{\"type\":\"Feature\",\"geometry\":{geometry},\"properties\":{{\"code\":\"A-1\"}}}}]}}"
            )
        };
        check(
            Form::Geojson,
            &feature("null"),
            expect!["`f`, feature 1 (`A-1`): its geometry is no Point with longitude and latitude"],
        );
        check(
            Form::Geojson,
            &feature("{\"type\":\"Point\",\"coordinates\":[131,44]}"),
            expect!["`f`, feature 1 (`A-1`): missing field `name`"],
        );
    }
}
