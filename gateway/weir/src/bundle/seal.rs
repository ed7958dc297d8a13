//! The box's word that a bundle is as it was made: the same seal as that of an evidence file, for the same reason, over the digest
//! of every part. Only the gateway has the key; a bundle of a box whose gateway is down is not signed, and says so.

use std::path::Path;

use batch::{Asked, EvidenceSeal, PublicKey};
use record::UnixMs;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::archive::Member;
use crate::lang::Lang;

/// The part that says whose bundle it is.
pub(super) const BOX: &str = "box.json";
/// The part that signs all others.
pub(super) const SEAL: &str = "seal.cose";
/// What a seal of a bundle is asked for, so that it is not taken for one of evidence.
const REASON: &str = "support bundle";
/// Version of the rule by which parts are made.
const BUNDLE_VERSION: u32 = 1;

/// Whether a bundle is as a box has made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub(super) enum Verdict {
    /// It is.
    Holds {
        /// The box.
        #[serde(rename = "box")]
        box_id: String,
        /// Whose signature it is, 64 hex digits.
        key: String,
        /// When it was signed. ms since 1970 UTC.
        at_ms: i64,
        /// Whether the key was given, and not taken from the bundle itself.
        trusted: bool,
    },
    /// It was made while the gateway did not run.
    Unsigned,
    /// It is not, or not of this box.
    Wrong {
        /// What is not right.
        why: String,
    },
}

/// Has the gateway sign these parts; else why it does not.
pub(super) fn ask(members: &[Member], run_dir: &Path) -> Result<Vec<u8>, String> {
    let now = UnixMs(jiff::Timestamp::now().as_millisecond());
    let asked = Asked { from_ms: now, to_ms: now, reason: REASON.into(), ..Asked::default() };
    let digests: Vec<Value> = members.iter().map(|(name, bytes)| json!([name, hex::encode(sha256(bytes))])).collect();
    let request = json!({"do": "seal_evidence", "asked": asked, "report_version": BUNDLE_VERSION, "members": digests});
    let answer = control::ask(&run_dir.join("gateway.sock"), &request).map_err(|error| control::chain(&error))?;
    let seal = answer["seal"].as_str().and_then(|seal| hex::decode(seal).ok());
    seal.ok_or_else(|| "its answer has no seal".to_owned())
}

/// Whether these parts are those that were signed, with the key that is given or else named by the bundle.
pub(super) fn verify(members: &[Member], given: Option<PublicKey>) -> Verdict {
    let wrong = |why: &str| Verdict::Wrong { why: why.to_owned() };
    let part = |name: &str| members.iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes.as_slice());
    let Some(cose) = part(SEAL) else { return Verdict::Unsigned };
    let named = part(BOX).and_then(|bytes| {
        let told: Value = serde_json::from_slice(bytes).ok()?;
        told["key"].as_str()?.parse::<PublicKey>().ok()
    });
    let Some(key) = given.or(named) else { return wrong("it names no key: give it by --key") };
    let seal = match EvidenceSeal::verify(cose, &key) {
        Ok(seal) => seal,
        Err(error) => return wrong(&control::chain(&error)),
    };
    if seal.asked.reason != REASON {
        return wrong("the seal was made for something else");
    }
    let sealed: Vec<(&str, [u8; 32])> =
        seal.members.iter().map(|member| (member.name.as_str(), member.sha256.0)).collect();
    let found: Vec<(&str, [u8; 32])> =
        members.iter().filter(|(name, _)| name != SEAL).map(|(name, bytes)| (name.as_str(), sha256(bytes))).collect();
    if let Some((name, _)) = found.iter().find(|part| !sealed.contains(part)) {
        return wrong(&format!("part {name} is not as it was signed"));
    }
    if found != sealed {
        return wrong("parts are missing, doubled or in another order");
    }
    let (box_id, at_ms) = (seal.box_id.to_string(), seal.stamp.wall_ms.0);
    Verdict::Holds { box_id, key: key.to_string(), at_ms, trusted: given.is_some() }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl Verdict {
    /// Whether nothing is left to be asked.
    pub(super) fn is_well(&self) -> bool {
        matches!(self, Verdict::Holds { .. })
    }

    /// In words.
    pub(super) fn told(&self, lang: Lang) -> String {
        match self {
            Verdict::Holds { box_id, key, at_ms, trusted } => {
                let at = crate::output::time(UnixMs(*at_ms));
                let doubt = match trusted {
                    true => "",
                    false => lang.pick(
                        " · the bundle names this key itself: compare it with `weir identity`, or give --key",
                        " · 此公钥取自文件本身：请与 `weir identity` 核对，或用 --key 指定",
                    ),
                };
                match lang {
                    Lang::En => format!("it is as box {box_id} made it at {at}, key {key}{doubt}"),
                    Lang::Zh => format!("与站点 {box_id} 于 {at} 生成时一致，公钥 {key}{doubt}"),
                }
            }
            Verdict::Unsigned => lang
                .pick("! it is not signed: the gateway did not run when it was made", "! 未签名：生成时采集服务未运行")
                .to_owned(),
            Verdict::Wrong { why } => format!("! {}: {why}", lang.pick("it is not as it was made", "与生成时不一致")),
        }
    }
}

#[cfg(test)]
mod tests {
    use batch::{BoxId, MemberDigest, SigningKey};
    use record::merkle::Hash;
    use record::{BootNo, ClockQuality, MonoMs, Stamp};

    use super::*;

    fn sealed(key: &SigningKey, reason: &str) -> Vec<Member> {
        let told = json!({ "box": "outfall-1", "key": key.public() }).to_string();
        let mut members = vec![(BOX.to_owned(), told.into_bytes()), ("doctor.json".to_owned(), b"{}".to_vec())];
        let digest = |(name, bytes): &Member| MemberDigest { name: name.clone(), sha256: Hash(sha256(bytes)) };
        let seal = EvidenceSeal {
            box_id: BoxId::new("outfall-1").unwrap(),
            asked: Asked { reason: reason.into(), ..Asked::default() },
            report_version: BUNDLE_VERSION,
            members: members.iter().map(digest).collect(),
            stamp: Stamp { boot: BootNo(0), mono_ms: MonoMs(1), wall_ms: UnixMs(2), clock: ClockQuality::Synchronised },
        };
        members.push((SEAL.to_owned(), seal.sign(key).unwrap()));
        members
    }

    #[test]
    fn only_what_was_signed_holds() {
        let key = SigningKey::from_seed(&[3; 32]);
        let members = sealed(&key, REASON);
        assert!(matches!(verify(&members, None), Verdict::Holds { trusted: false, .. }));
        assert!(matches!(verify(&members, Some(key.public())), Verdict::Holds { trusted: true, .. }));
        let other = SigningKey::from_seed(&[4; 32]).public();
        assert!(!verify(&members, Some(other)).is_well(), "another box");
        let mut altered = members.clone();
        altered[1].1 = b"{ }".to_vec();
        assert_eq!(verify(&altered, None), Verdict::Wrong { why: "part doctor.json is not as it was signed".into() });
        let mut more = members.clone();
        more.push(("more.txt".to_owned(), Vec::new()));
        assert!(!verify(&more, None).is_well());
        let mut fewer = members.clone();
        fewer.remove(1);
        assert!(!verify(&fewer, None).is_well());
        let mut unsigned = members;
        unsigned.pop();
        assert_eq!(verify(&unsigned, None), Verdict::Unsigned);
        assert!(!verify(&sealed(&key, "clue 7"), None).is_well(), "evidence is no bundle");
    }
}
