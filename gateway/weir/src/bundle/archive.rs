//! The file around the parts: a tar in gzip, which every system opens.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Most parts of a bundle.
const MEMBERS_MAX: usize = 64;
/// Most bytes of all parts: a bundle that unpacks to more was not made here.
const UNPACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Who unpacks it may read it.
const MODE: u32 = 0o600;

/// A part: its name and its bytes.
pub(super) type Member = (String, Vec<u8>);

/// Packs them in order. The same parts are always the same bytes.
///
/// # Errors
/// Of a name that no tar holds.
pub(super) fn pack(members: &[Member]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_mode(MODE);
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    let mut packed = tar.into_inner()?;
    packed.flush()?;
    packed.finish()
}

/// Reads the parts of a file that anybody may have made: bounded in number and size, and nothing is written anywhere.
///
/// # Errors
/// If it is no such file, or larger than any that is made here.
pub(super) fn unpack(file: &[u8]) -> io::Result<Vec<Member>> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut tar = tar::Archive::new(GzDecoder::new(file).take(UNPACKED_BYTES_MAX));
    let mut members = Vec::new();
    for entry in tar.entries()? {
        let mut entry = entry?;
        if members.len() == MEMBERS_MAX {
            return Err(invalid(format!("it has more than {MEMBERS_MAX} parts")));
        }
        let name =
            entry.path()?.to_str().ok_or_else(|| invalid("a part has a name that is no text".into()))?.to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        members.push((name, bytes));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked() {
        let members =
            vec![("doctor.json".to_owned(), b"{}".to_vec()), ("config/sync.toml".to_owned(), vec![7; 70_000])];
        let file = pack(&members).unwrap();
        assert_eq!(unpack(&file).unwrap(), members);
        assert_eq!(pack(&members).unwrap(), file, "the same bytes each time");
        assert!(file.len() < 1_000, "{}", file.len());
    }

    #[test]
    fn what_is_no_bundle_is_refused_and_ends() {
        assert!(unpack(b"no gzip at all").is_err());
        let mut cut = pack(&[("a".to_owned(), (0..90_000_u32).flat_map(u32::to_le_bytes).collect())]).unwrap();
        cut.truncate(cut.len() / 2);
        assert!(unpack(&cut).is_err());
        let many: Vec<Member> = (0..=MEMBERS_MAX).map(|n| (n.to_string(), Vec::new())).collect();
        assert!(unpack(&pack(&many).unwrap()).is_err());
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        let mut header = tar::Header::new_ustar();
        header.set_path("bomb").unwrap();
        header.set_size(1 << 40);
        header.set_cksum();
        bomb.write_all(header.as_bytes()).unwrap();
        (0..100).for_each(|_| bomb.write_all(&vec![0; 1 << 20]).unwrap());
        assert!(unpack(&bomb.finish().unwrap()).is_err(), "it claims a terabyte and has a hundred megabytes");
    }
}
