//! Outfalls as the journal tells of them: their dossiers in force, and which devices stand there.

use std::collections::BTreeMap;

use record::{Body, DossierVersion, Kind, Outfall, OutfallCode, RecordAt, Seq, SeqRange, SourceId, Standing, Told};

use crate::database::StoreError;
use crate::reader::Reader;

/// Most outfalls of one box. One LoRa gateway hears those of a town; each dossier stands in memory and travels whole.
pub const OUTFALLS_MAX: usize = 200;
/// A record is read alone, whatever its size.
const ONE_RECORD: usize = 1;

/// The outfalls, by their codes. Read from the records themselves, so that there is no second truth: a backup, a salvage and
/// another machine know them too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    /// The first record that was not looked at yet.
    next: Seq,
    outfalls: BTreeMap<OutfallCode, Registered>,
}

/// What holds of one outfall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registered {
    /// Its dossier in force, and the newest record that tells it; none where only devices name it.
    pub dossier: Option<(Told, Box<DossierVersion>)>,
    /// The devices that stand there, and the newest record that tells it.
    pub devices: Option<(Told, Standing)>,
}

impl Register {
    /// Takes in what was journaled since the last time.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn catch_up(&mut self, reader: &Reader) -> Result<(), StoreError> {
        let Some(new) = unread(reader, self.next)? else { return Ok(()) };
        for_each_outfall(reader, new, |at, _| self.take(at))?;
        self.next = new.last.next();
        Ok(())
    }

    /// Takes in one record; those of other kinds change nothing.
    pub fn take(&mut self, at: &RecordAt) {
        let Body::Outfall(outfall) = &at.record.body else { return };
        let known = self.outfalls.entry(outfall.code().clone()).or_default();
        let told = Told { seq: at.seq, wall_ms: at.record.stamp.wall_ms };
        match outfall {
            // A version that is told again is the one in force, or an older one.
            Outfall::Dossier(version) => {
                if known.dossier.as_ref().is_none_or(|(_, newest)| newest.version <= version.version) {
                    known.dossier = Some((told, version.clone()));
                }
            }
            Outfall::Devices(standing) => known.devices = Some((told, standing.clone())),
        }
    }

    /// What holds of this outfall.
    pub fn get(&self, code: &OutfallCode) -> Option<&Registered> {
        self.outfalls.get(code)
    }

    /// The dossier in force of this outfall.
    pub fn dossier(&self, code: &OutfallCode) -> Option<&DossierVersion> {
        self.get(code)?.dossier.as_ref().map(|(_, version)| &**version)
    }

    /// All outfalls, by code.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&OutfallCode, &Registered)> + '_ {
        self.outfalls.iter()
    }

    /// Where this device stands.
    pub fn outfall_of(&self, device: &SourceId) -> Option<&OutfallCode> {
        let stands = |registered: &Registered| registered.devices().binary_search(device).is_ok();
        self.outfalls.iter().find(|(_, registered)| stands(registered)).map(|(code, _)| code)
    }
}

impl Registered {
    /// The devices that stand there, ascending.
    pub fn devices(&self) -> &[SourceId] {
        self.devices.as_ref().map_or(&[], |(_, standing)| &standing.devices)
    }
}

/// The records from `next` on.
pub(crate) fn unread(reader: &Reader, next: Seq) -> Result<Option<SeqRange>, StoreError> {
    let last = reader.position()?.end.0.checked_sub(1).map(Seq);
    Ok(last.and_then(|last| SeqRange::new(next, last)))
}

/// Hands each record about an outfall among these numbers to `take`, in order.
///
/// # Errors
/// [`StoreError::Read`], [`StoreError::Archive`].
pub fn for_each_outfall(
    reader: &Reader,
    records: SeqRange,
    mut take: impl FnMut(&RecordAt, &Outfall),
) -> Result<(), StoreError> {
    for_each_marked(reader, Kind::Outfall, records, |at| {
        if let Body::Outfall(outfall) = &at.record.body {
            take(at, outfall);
        }
    })
}

/// Hands each record of a kind that is marked among these numbers to `take`, in order. One is in memory at a time.
pub(crate) fn for_each_marked(
    reader: &Reader,
    kind: Kind,
    records: SeqRange,
    mut take: impl FnMut(&RecordAt),
) -> Result<(), StoreError> {
    for seq in reader.marks(kind, records)? {
        reader.read(SeqRange { first: seq, last: seq }, ONE_RECORD)?.iter().for_each(&mut take);
    }
    Ok(())
}
