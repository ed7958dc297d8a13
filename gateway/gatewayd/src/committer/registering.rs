//! New versions of dossiers, journaled in the name of who made them.

use std::collections::BTreeSet;

use journal::OUTFALLS_MAX;
use record::{Body, Dossier, DossierVersion, Outfall, Record, Seq};
use serde_json::{Value, json};

use super::{Committer, Draft};
use crate::registration::{How, Registration};

impl Committer {
    /// Journals the versions, all or none; answers with their numbers. From then on data of these outfalls are taken.
    pub(super) fn register(&mut self, registration: Registration, draft: &mut Draft) -> Result<Value, String> {
        let Registration { by, how, dossiers, version: expected, reason } = registration;
        let mut changed: Vec<(u32, Dossier)> = Vec::new();
        let (mut unchanged, mut seen) = (Vec::new(), BTreeSet::new());
        for dossier in dossiers {
            if !seen.insert(dossier.code.clone()) {
                return Err(format!("outfall {} is there twice · try: leave one out", dossier.code));
            }
            self.check_code(&dossier)?;
            match self.next_version(&dossier, how, expected)? {
                Some(version) => changed.push((version, dossier)),
                None => unchanged.push(dossier.code),
            }
        }
        let new = changed.iter().filter(|(version, _)| *version == 1).count();
        let known = self.restored.register.iter().filter(|(_, known)| known.dossier.is_some()).count();
        if known + new > OUTFALLS_MAX {
            return Err(format!("a box has at most {OUTFALLS_MAX} outfalls, and {known} have a dossier already"));
        }
        let stamp = self.stamp();
        let mut versions = Vec::new();
        for (version, dossier) in changed {
            let ahead = u64::try_from(draft.transaction.records.len()).unwrap_or(u64::MAX);
            let seq = Seq(self.journal.end().0.saturating_add(ahead));
            log::info!(seq:% = seq, outfall:% = dossier.code, version, by:? = by, reason = reason.as_str(); "dossier journaled");
            versions.push(json!({ "outfall": dossier.code, "version": version, "seq": seq }));
            let told = DossierVersion { version, by: by.clone(), reason: reason.clone(), dossier, told: None };
            let body = Body::Outfall(Outfall::Dossier(Box::new(told)));
            self.append(Record { stamp, body }, &mut draft.transaction);
        }
        Ok(json!({ "versions": versions, "unchanged": unchanged }))
    }

    fn check_code(&self, dossier: &Dossier) -> Result<(), String> {
        let patterns = &self.parts.code_patterns;
        if patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(dossier.code.as_str())) {
            return Ok(());
        }
        let patterns: Vec<&str> = patterns.iter().map(|pattern| pattern.as_str()).collect();
        Err(format!(
            "code {} is not formed as `code_patterns` in gateway.toml ask: {} · try: another code, or another pattern",
            dossier.code,
            patterns.join(", ")
        ))
    }

    /// The number that a dossier gets; none if it changes nothing and need not.
    fn next_version(&self, dossier: &Dossier, how: How, expected: Option<u32>) -> Result<Option<u32>, String> {
        let code = &dossier.code;
        let known = self.restored.register.dossier(code);
        match (how, known) {
            (How::Add, Some(known)) => Err(format!(
                "outfall {code} has a dossier already, version {} · try: weir outfall edit, or weir outfall show {code}",
                known.version
            )),
            (How::Edit, None) => {
                Err(format!("outfall {code} has no dossier · try: weir outfall add, or weir outfall list"))
            }
            (_, Some(known)) if expected.is_some_and(|expected| expected != known.version) => Err(format!(
                "outfall {code} has version {} now, and this was made of version {} · try: weir outfall history {code}, then \
                 the same from the version in force",
                known.version,
                expected.unwrap_or_default()
            )),
            (How::Edit, Some(known)) if known.dossier == *dossier => Err(format!(
                "nothing of outfall {code} is changed, version {} stays · try: weir outfall show {code}",
                known.version
            )),
            (How::Import, Some(known)) if known.dossier == *dossier => Ok(None),
            (_, known) => Ok(Some(known.map_or(1, |known| known.version.saturating_add(1)))),
        }
    }
}
