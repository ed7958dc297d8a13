//! The file around the parts: a ZIP that any program opens, in the one form that a rule makes of its members.
//!
//! ```text
//! local header + name + bytes      of each member, in order, stored as it is
//! central header + name            of each member again
//! end
//! ```
//! No compression, no extra fields, no comments, one time for all (1980-01-01 00:00): the same members are always the same
//! file, so nothing can hide between them. `evidence.cddl` has the offsets.

/// First four bytes of each kind of header.
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
/// Version 1.0 of the format is enough to read it.
const VERSION: u16 = 10;
/// 1980-01-01, the first day that a ZIP knows.
const DATE: u16 = 0x0021;
/// Of a local header, before the name.
const LOCAL_BYTES: usize = 30;

/// One member: its name, and its bytes.
pub type Member<'f> = (&'f str, &'f [u8]);

/// What was read of a file.
#[derive(Debug)]
pub struct Container<'f> {
    /// In the order of the file.
    pub members: Vec<Member<'f>>,
    /// The first member whose bytes do not fit the checksum before them.
    pub altered: Option<&'f str>,
    /// Whether the file is, byte for byte, what the rule makes of these members.
    pub exact: bool,
}

/// Whether a file begins as a container does.
pub fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&LOCAL)
}

/// The file of these members, whatever they are. The caller has bounded them: the file is far from 4 GiB.
pub fn write(members: &[Member<'_>]) -> Vec<u8> {
    let mut file = Vec::with_capacity(members.iter().map(|(_, bytes)| bytes.len() + 2 * LOCAL_BYTES + 300).sum());
    for (name, bytes) in members {
        file.extend(local(name, crc32fast::hash(bytes), bytes.len()));
        file.extend_from_slice(bytes);
    }
    let directory = directory(members);
    file.extend(directory);
    file
}

/// Reads the members from the front, `members_max` at most.
///
/// # Errors
/// The place in bytes where no member begins, or one that is cut, or one too many.
pub fn read(file: &[u8], members_max: usize) -> Result<Container<'_>, usize> {
    let mut container = Container { members: Vec::new(), altered: None, exact: true };
    let mut at = 0;
    while file[at..].starts_with(&LOCAL) {
        if container.members.len() == members_max {
            return Err(at);
        }
        let (name, bytes) = member(&file[at..]).ok_or(at)?;
        let head = &file[at..at + LOCAL_BYTES + name.len()];
        let crc = crc32fast::hash(bytes);
        container.exact &= head == local(name, crc, bytes.len());
        if head[14..18] != crc.to_le_bytes() {
            container.altered.get_or_insert(name);
        }
        at += head.len() + bytes.len();
        container.members.push((name, bytes));
    }
    if container.members.is_empty() {
        return Err(at);
    }
    container.exact &= file[at..] == directory(&container.members);
    Ok(container)
}

/// The member whose local header begins here: name and bytes, if they are all there.
fn member(from: &[u8]) -> Option<Member<'_>> {
    let length = |at: usize| from.get(at..at + 2).map(|two| usize::from(u16::from_le_bytes([two[0], two[1]])));
    let size = from.get(18..22)?;
    let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]);
    let bytes = LOCAL_BYTES + length(26)?;
    let name = str::from_utf8(from.get(LOCAL_BYTES..bytes)?).ok()?;
    Some((name, from.get(bytes..bytes.checked_add(usize::try_from(size).ok()?)?)?))
}

fn local(name: &str, crc: u32, size: usize) -> Vec<u8> {
    let mut head = LOCAL.to_vec();
    head.extend(common(name, crc, size));
    head.extend_from_slice(name.as_bytes());
    head
}

/// What local and central headers share: version, flags, method, time, date, checksum, both sizes, length of the name, and
/// that there is no extra field.
fn common(name: &str, crc: u32, size: usize) -> Vec<u8> {
    let mut fields = Vec::with_capacity(LOCAL_BYTES - LOCAL.len());
    for two in [VERSION, 0, 0, 0, DATE] {
        fields.extend(two.to_le_bytes());
    }
    for four in [crc, four_bytes(size), four_bytes(size)] {
        fields.extend(four.to_le_bytes());
    }
    fields.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    fields.extend([0, 0]);
    fields
}

/// The central headers and the end.
fn directory(members: &[Member<'_>]) -> Vec<u8> {
    let (mut directory, mut offset) = (Vec::new(), 0);
    for (name, bytes) in members {
        directory.extend(CENTRAL);
        directory.extend(VERSION.to_le_bytes());
        directory.extend(common(name, crc32fast::hash(bytes), bytes.len()));
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(four_bytes(offset).to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
        offset += LOCAL_BYTES + name.len() + bytes.len();
    }
    let (size, count) = (four_bytes(directory.len()), u16::try_from(members.len()).unwrap_or(u16::MAX));
    directory.extend(END);
    directory.extend([0; 4]);
    directory.extend(count.to_le_bytes());
    directory.extend(count.to_le_bytes());
    directory.extend(size.to_le_bytes());
    directory.extend(four_bytes(offset).to_le_bytes());
    directory.extend([0; 2]);
    directory
}

/// Never saturates within the bounds of a file; a file that it did would not be read as what it is.
fn four_bytes(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: [Member<'static>; 3] = [("mimetype", b"a/b"), ("empty", b""), ("x/y.z", b"\x00PK\x03\x04")];

    #[test]
    fn what_is_written_is_read() {
        let file = write(&MEMBERS);
        assert!(begins(&file));
        let read = read(&file, 3).unwrap();
        assert_eq!((read.members.as_slice(), read.altered, read.exact), (&MEMBERS[..], None, true));
        assert_eq!(super::read(&file, 2).unwrap_err(), 30 + 8 + 3 + 30 + 5, "too many");
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_another_file() {
        let file = write(&MEMBERS);
        for bit in 0..file.len() * 8 {
            let mut other = file.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&other, 9).is_err() || !read(&other, 9).unwrap().exact, "bit {bit}");
        }
        for len in 0..file.len() {
            assert!(read(&file[..len], 9).is_err() || !read(&file[..len], 9).unwrap().exact, "cut at {len}");
        }
        assert!(!read(&[file.as_slice(), b"x"].concat(), 9).unwrap().exact, "more behind it");
    }

    #[test]
    fn an_altered_member_is_named() {
        let mut file = write(&MEMBERS);
        let last = file.len() - directory(&MEMBERS).len() - 1;
        file[last] ^= 1;
        let read = read(&file, 9).unwrap();
        assert_eq!((read.altered, read.exact), (Some("x/y.z"), false));
    }
}
