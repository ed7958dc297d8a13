//! The parts of an evidence file by name.

use batch::{BatchId, EvidenceSeal, PlatformId};

use crate::container::Member;

/// First in every file, so that its kind can be seen without opening it (as in EPUB, ODF and ASiC).
pub(crate) const MIMETYPE: &str = "mimetype";
/// What stands in it.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.weir.evidence+zip";
/// For people.
pub(crate) const REPORT: &str = "report.html";
/// For spreadsheets.
pub(crate) const READINGS: &str = "readings.csv";
/// The records in their exact bytes, with what proves them.
pub(crate) const RECORDS: &str = "records.weirlog";
/// Before the names of receipts.
pub(crate) const RECEIPTS: &str = "receipts/";
/// Last in every file.
pub(crate) const SEAL: &str = "seal.cose";
/// Parts that are no receipts.
const OTHERS: usize = 5;
/// Most receipts of a file: all others are parts that a seal has room for.
pub const RECEIPTS_MAX: usize = EvidenceSeal::MEMBERS_MAX + 1 - OTHERS;

/// A receipt with what its name says.
#[derive(Debug, Clone)]
pub(crate) struct ReceiptPart<'f> {
    pub(crate) name: &'f str,
    pub(crate) platform: PlatformId,
    pub(crate) batch: BatchId,
    pub(crate) cose: &'f [u8],
}

/// The parts, each in its place.
#[derive(Debug)]
pub(crate) struct Parts<'f> {
    pub(crate) report: &'f [u8],
    pub(crate) readings: &'f [u8],
    pub(crate) records: &'f [u8],
    pub(crate) receipts: Vec<ReceiptPart<'f>>,
    pub(crate) seal: &'f [u8],
}

impl<'f> Parts<'f> {
    /// The parts of these members; none unless they are exactly those of an evidence file, in their order.
    pub(crate) fn of(members: &[Member<'f>]) -> Option<Parts<'f>> {
        let (first, rest) = members.split_first()?;
        let [(REPORT, report), (READINGS, readings), (RECORDS, records), rest @ ..] = rest else { return None };
        let ((SEAL, seal), receipts) = rest.split_last()? else { return None };
        let ascending = receipts.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let receipts = receipts.iter().map(|(name, cose)| receipt(name, cose)).collect::<Option<_>>()?;
        let is_first = *first == (MIMETYPE, MEDIA_TYPE.as_bytes());
        (is_first && ascending).then_some(Parts { report, readings, records, receipts, seal })
    }
}

/// `receipts/<platform>-<batch>.cose`
pub(crate) fn receipt_name(platform: &PlatformId, batch: &BatchId) -> String {
    format!("{RECEIPTS}{platform}-{batch}.cose")
}

fn receipt<'f>(name: &'f str, cose: &'f [u8]) -> Option<ReceiptPart<'f>> {
    let (platform, batch) = name.strip_prefix(RECEIPTS)?.strip_suffix(".cose")?.rsplit_once('-')?;
    Some(ReceiptPart { name, platform: PlatformId::new(platform).ok()?, batch: batch.parse().ok()?, cose })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_order_is_an_evidence_file() {
        let id = |byte: u8| BatchId([byte; 32]);
        let name = |platform: &str, byte| receipt_name(&PlatformId::new(platform).unwrap(), &id(byte));
        let (city, town) = (name("city", 1), name("city", 2));
        let upper = city.replace("01", "0A").replace("0A0A", "0a0A");
        let check = |names: &[&str]| {
            let media = MEDIA_TYPE.as_bytes();
            let members: Vec<Member<'_>> = names.iter().map(|name| (*name, media)).collect();
            Parts::of(&members).map(|parts| parts.receipts.len())
        };
        assert_eq!(check(&[MIMETYPE, REPORT, READINGS, RECORDS, SEAL]), Some(0));
        assert_eq!(check(&[MIMETYPE, REPORT, READINGS, RECORDS, &city, &town, SEAL]), Some(2));
        for names in [
            &[MIMETYPE, REPORT, READINGS, RECORDS, &town, &city, SEAL][..],
            &[MIMETYPE, REPORT, READINGS, RECORDS, &city, &city, SEAL],
            &[MIMETYPE, REPORT, READINGS, RECORDS, &upper, SEAL],
            &[MIMETYPE, REPORT, READINGS, RECORDS, "receipts/x.cose", SEAL],
            &[MIMETYPE, READINGS, REPORT, RECORDS, SEAL],
            &[REPORT, READINGS, RECORDS, SEAL, MIMETYPE],
            &[MIMETYPE, REPORT, READINGS, RECORDS],
            &[MIMETYPE, REPORT, READINGS, SEAL],
            &[MIMETYPE],
            &[],
        ] {
            assert_eq!(check(names), None, "{names:?}");
        }
        assert_eq!(name(&"x".repeat(64), 1).len(), EvidenceSeal::NAME_BYTES_MAX);
    }
}
