//! What may happen to an evidence file, and what whoever can have it sealed may make of it.

use batch::{EvidenceSeal, MemberDigest, SigningKey};
use evidence::container;
use record::merkle::Hash;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::random::Random;

/// Kinds of mutants.
pub(crate) const KINDS: usize = 7;

/// Another file, as what is taken out of the first and put in.
pub(crate) struct Mutant {
    pub(crate) kind: &'static str,
    pub(crate) what: String,
    /// `[at, cut, "hex"]`
    pub(crate) splices: Vec<Value>,
    /// It is another file that is true as well.
    pub(crate) is_harmless: bool,
    /// The whole file.
    pub(crate) bytes: Vec<u8>,
}

impl Mutant {
    pub(crate) fn bit(bytes: &[u8], bit: usize) -> Mutant {
        let (at, changed) = (bit / 8, bytes[bit / 8] ^ 1 << (bit % 8));
        Mutant::spliced("bit", bytes, at, 1, &[changed])
    }

    fn spliced(kind: &'static str, bytes: &[u8], at: usize, cut: usize, put: &[u8]) -> Mutant {
        let what = format!("{kind}: {cut} bytes at {at} become {}", hex::encode(&put[..put.len().min(8)]));
        let mutated = [&bytes[..at], put, &bytes[at + cut..]].concat();
        let is_harmless = mutated == bytes;
        Mutant { kind, what, splices: vec![json!([at, cut, hex::encode(put)])], is_harmless, bytes: mutated }
    }
}

/// Members by name.
type Members = Vec<(String, Vec<u8>)>;

/// Makes mutants of a file, under a seal of its box where that is wanted.
pub(crate) struct Forger<'f> {
    bytes: &'f [u8],
    key: &'f SigningKey,
    members: Members,
}

impl<'f> Forger<'f> {
    pub(crate) fn new(bytes: &'f [u8], key: &'f SigningKey) -> Forger<'f> {
        let members = container::read(bytes, 999).unwrap().members;
        let members = members.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
        Forger { bytes, key, members }
    }

    pub(crate) fn any(&self, random: &mut Random) -> Mutant {
        let (bytes, at) = (self.bytes, random.index(self.bytes.len()));
        match *random.one_of(&["bit", "cut", "spliced", "unsealed", "sealed", "exchanged", "without"]) {
            "bit" => Mutant::bit(bytes, random.index(bytes.len() * 8)),
            "cut" => Mutant::spliced("cut", bytes, at, bytes.len() - at, &[]),
            "spliced" => {
                let cut = random.index(20).min(bytes.len() - at);
                let put = random.index(20);
                Mutant::spliced("spliced", bytes, at, cut, &random.bytes(put))
            }
            "unsealed" => self.changed(random, "unsealed", false),
            "sealed" => self.changed(random, "sealed", true),
            "exchanged" => self.exchanged(random),
            _ => self.without_a_receipt(random),
        }
    }

    /// A few bits of a member other than the seal are others, and the container fits them.
    fn changed(&self, random: &mut Random, kind: &'static str, sealed: bool) -> Mutant {
        let mut members = self.members.clone();
        let nth = random.index(members.len() - 1);
        let (name, bytes) = &mut members[nth];
        let what = format!("{kind}: {name}");
        for _ in 0..=random.index(2) {
            let bit = random.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        self.made(kind, what, members, sealed)
    }

    /// The bytes of two members, or those of two records, each in the place of the other.
    fn exchanged(&self, random: &mut Random) -> Mutant {
        let mut members = self.members.clone();
        let (one, other) = (1 + random.index(members.len() - 2), 1 + random.index(members.len() - 2));
        let bytes = members[one].1.clone();
        members[one].1 = std::mem::replace(&mut members[other].1, bytes);
        let what = format!("exchanged: {} and {}", members[one].0, members[other].0);
        self.made("exchanged", what, members, true)
    }

    fn without_a_receipt(&self, random: &mut Random) -> Mutant {
        let mut members = self.members.clone();
        let nth = 4 + random.index(members.len() - 5);
        let (name, _) = members.remove(nth);
        self.made("without", format!("without {name}"), members, random.below(2) == 0)
    }

    fn made(&self, kind: &'static str, what: String, mut members: Members, sealed: bool) -> Mutant {
        let (_, seal) = members.pop().unwrap();
        let seal = if sealed { self.seal(&seal, &members) } else { seal };
        members.push(("seal.cose".into(), seal));
        let borrowed: Vec<_> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let bytes = container::write(&borrowed);
        // A report is made of the receipts too: without one it is another.
        let is_harmless = bytes == self.bytes;
        let splices = vec![json!([0, self.bytes.len(), hex::encode(&bytes)])];
        Mutant { kind, what, splices, is_harmless, bytes }
    }

    /// What the box would sign if it were asked to.
    fn seal(&self, seal: &[u8], members: &[(String, Vec<u8>)]) -> Vec<u8> {
        let seal = EvidenceSeal::verify(seal, &self.key.public()).unwrap();
        let digest = |(name, bytes): &(String, Vec<u8>)| {
            let sha256 = Hash(Sha256::digest(bytes).into());
            MemberDigest { name: name.clone(), sha256 }
        };
        EvidenceSeal { members: members.iter().map(digest).collect(), ..seal }.sign(self.key).unwrap()
    }
}
