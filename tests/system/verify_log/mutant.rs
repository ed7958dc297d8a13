//! What may happen to an exported journal, as splices of its bytes, and where that must be found.

use std::collections::BTreeMap;
use std::ops::Range;

use batch::weirlog::Writer;
use batch::{BoxId, PublicKey};
use record::merkle::{Hash, Node};

use crate::random::Random;

/// An item of an exported journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Header,
    Record,
    Pruned,
    Head,
    End,
}

#[derive(Debug, Clone)]
struct Item {
    what: What,
    /// Records before it.
    number: u64,
    bytes: Range<usize>,
}

/// An exported journal in its parts.
pub(crate) struct Export {
    bytes: Vec<u8>,
    items: Vec<Item>,
    nodes: Vec<Node>,
    heads: BTreeMap<u64, Vec<u8>>,
    signer: (BoxId, PublicKey),
}

/// Major type and argument of the CBOR item at `at`, and where what follows its head begins.
fn head(bytes: &[u8], at: usize) -> (u8, u64, usize) {
    let (major, short) = (bytes[at] >> 5, bytes[at] & 0x1f);
    let width = if short < 24 { 0 } else { 1 << (short - 24) };
    let argument = bytes[at + 1..at + 1 + width].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    (major, if width == 0 { short.into() } else { argument }, at + 1 + width)
}

fn size(argument: u64) -> usize {
    usize::try_from(argument).unwrap()
}

impl Export {
    pub(crate) fn of(bytes: Vec<u8>) -> Export {
        // ["weirlog", 1, box, key]
        let (_, _, version) = (head(&bytes, 0), head(&bytes, 1), 9);
        let (_, length, name) = head(&bytes, version + 1);
        let key = name + size(length) + 2;
        let box_id = BoxId::new(str::from_utf8(&bytes[name..key - 2]).unwrap()).unwrap();
        let public = PublicKey::from_bytes(bytes[key..key + 32].try_into().unwrap()).unwrap();
        let items = vec![Item { what: What::Header, number: 0, bytes: 0..key + 32 }];
        let (nodes, heads) = (Vec::new(), BTreeMap::new());
        let mut export = Export { items, nodes, heads, signer: (box_id, public), bytes };
        let (mut at, mut number) = (key + 32, 0);
        while at < export.bytes.len() {
            (at, number) = export.item(at, number);
        }
        export
    }

    /// Takes the item that begins here; gives where the next one does, and how many records are before that.
    fn item(&mut self, at: usize, number: u64) -> (usize, u64) {
        let hash = |from: usize| Hash(self.bytes[from..from + 32].try_into().unwrap());
        let (major, argument, next) = head(&self.bytes, at);
        let (what, end, leaves) = if major == 2 {
            let end = next + size(argument);
            self.heads.insert(number, self.bytes[next..end].to_vec());
            (What::Head, end, 0)
        } else {
            let (_, _, second) = head(&self.bytes, next);
            let (kind, argument, third) = head(&self.bytes, second);
            if argument == 32 && kind == 2 && major == 4 && self.bytes[at] == 0x82 {
                (What::End, third + 32, 0)
            } else if kind == 2 {
                let end = third + size(argument);
                self.nodes.push(Node::Leaf(self.bytes[third..end].to_vec()));
                (What::Record, end + 34, 1)
            } else {
                let (level, root) = (u8::try_from(argument).unwrap(), hash(third + 2));
                self.nodes.push(Node::Pruned { level, root });
                (What::Pruned, third + 34, 1 << level)
            }
        };
        self.items.push(Item { what, number, bytes: at..end });
        (end, number + leaves)
    }

    pub(crate) fn records(&self) -> u64 {
        self.items.iter().filter(|item| item.what == What::Record).count().try_into().unwrap()
    }

    /// The canonical bytes of each record.
    pub(crate) fn record_bytes(&self) -> Vec<Vec<u8>> {
        let leaf = |node: &Node| match node {
            Node::Leaf(bytes) => Some(bytes.clone()),
            Node::Pruned { .. } => None,
        };
        self.nodes.iter().filter_map(leaf).collect()
    }

    /// Signed tree heads by their size.
    pub(crate) fn heads(&self) -> &BTreeMap<u64, Vec<u8>> {
        &self.heads
    }

    /// The size of the newest tree head that does not cover this record.
    fn proven_before(&self, number: u64) -> u64 {
        self.heads.range(..=number).next_back().map_or(0, |(size, _)| *size)
    }

    /// A file in which every hash fits but those that are signed: each head stands where its size says.
    fn forged(&self, nodes: &[Node]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), &self.signer.0, &self.signer.1).unwrap();
        for node in nodes {
            writer.node(node).unwrap();
            if let Some(head) = self.heads.get(&writer.next().0) {
                writer.checkpoint(head).unwrap();
            }
        }
        writer.finish().unwrap()
    }

    fn bytes_of(&self, item: usize) -> Vec<u8> {
        self.bytes[self.items[item].bytes.clone()].to_vec()
    }

    /// What begins at this item or later and ends at the end.
    fn from(&self, item: usize) -> Range<usize> {
        self.items[item].bytes.start..self.bytes.len()
    }
}

/// Where a mutation must be found.
#[derive(Debug, Clone, Copy)]
enum Found {
    /// At this item.
    At(usize),
    /// At the first record that the last intact tree head before this record does not cover.
    NotProven(u64),
    /// Somewhere: nothing but a later tree head knows what a pruned subtree was.
    Anywhere,
}

/// A mutation of an exported journal.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    pub(crate) kind: &'static str,
    pub(crate) what: String,
    splices: Vec<(Range<usize>, Vec<u8>)>,
    found: Found,
}

/// How many kinds [`Mutant::any`] has.
pub(crate) const KINDS: usize = 10;

/// What was done in words, the splices, and where it must be found.
type Changed = (String, Vec<(Range<usize>, Vec<u8>)>, Found);
type Change = fn(&Export, &mut Random) -> Changed;

const CHANGES: [(&str, u64, Change); KINDS] = [
    ("flip", 30, flip),
    ("overwrite", 12, overwrite),
    ("drop", 12, drop_items),
    ("insert", 10, insert),
    ("invent", 6, invent),
    ("exchange", 10, exchange),
    ("cut", 10, cut),
    ("append", 1, append),
    ("forge", 8, forge),
    ("renumber", 1, renumber),
];

impl Mutant {
    /// One of all kinds, some more often than others.
    pub(crate) fn any(export: &Export, random: &mut Random) -> Mutant {
        let mut pick = random.below(CHANGES.iter().map(|(_, weight, _)| weight).sum());
        let chosen = CHANGES.iter().find(|(_, weight, _)| {
            let here = pick < *weight;
            pick = pick.wrapping_sub(*weight);
            here
        });
        let (kind, _, change) = chosen.unwrap();
        let (what, splices, found) = change(export, random);
        Mutant { kind, what: format!("{kind} {what}"), splices, found }
    }

    /// `[at, cut, "hex"]` each.
    pub(crate) fn splices(&self) -> Vec<(usize, usize, String)> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.splices.iter().map(|(range, put)| (range.start, range.len(), hex(put))).collect()
    }

    /// The whole file.
    pub(crate) fn bytes(&self, export: &Export) -> Vec<u8> {
        let (mut bytes, mut done) = (Vec::with_capacity(export.bytes.len()), 0);
        for (range, put) in &self.splices {
            bytes.extend(&export.bytes[done..range.start]);
            bytes.extend(put);
            done = range.end;
        }
        bytes.extend(&export.bytes[done..]);
        assert!(bytes != export.bytes, "no mutation at all: {self:?}");
        bytes
    }

    /// Whether this is the place where it must be found.
    pub(crate) fn is_at(&self, place: &str, export: &Export) -> bool {
        let item = match self.found {
            Found::Anywhere => return true,
            Found::NotProven(number) => return place == format!("record {}", export.proven_before(number)),
            Found::At(item) => &export.items[item],
        };
        let number = item.number;
        let (record, head) = (format!("record {number}"), format!("checkpoint {number}"));
        match item.what {
            // With another name in it, or key, the header is whole, and the first head is of another box.
            What::Header => {
                place == "header"
                    || export.heads.keys().next().is_some_and(|size| place == format!("checkpoint {size}"))
            }
            // What stands there now may be read as any of them.
            _ => [record, head, "end".into()].contains(&place.into()),
        }
    }
}

/// Where a change of an item's own bytes is found.
fn within(export: &Export, item: usize) -> Found {
    if export.items[item].what == What::Pruned { Found::Anywhere } else { Found::At(item) }
}

fn any_item(export: &Export, random: &mut Random) -> usize {
    random.index(export.items.len())
}

/// The nth part of the tree, of the kind that is wanted: its item and the number of its record.
fn any_record(export: &Export, random: &mut Random) -> (usize, usize) {
    let parts = export.items.iter().enumerate().filter(|(_, item)| matches!(item.what, What::Record | What::Pruned));
    let records: Vec<(usize, usize)> = parts
        .enumerate()
        .filter(|(_, (_, item))| item.what == What::Record)
        .map(|(node, (item, _))| (item, node))
        .collect();
    *random.one_of(&records)
}

fn flip(export: &Export, random: &mut Random) -> Changed {
    // Any byte of the file, or any byte of any item: heads, header and end would be rare otherwise.
    let at = match random.below(2) {
        0 => random.index(export.bytes.len()),
        _ => {
            let Range { start, end } = export.items[any_item(export, random)].bytes;
            start + random.index(end - start)
        }
    };
    let item = export.items.partition_point(|item| item.bytes.end <= at);
    let bit = random.below(8);
    let what = format!("bit {bit} of byte {at}, {:?}", export.items[item]);
    (what, vec![(at..at + 1, vec![export.bytes[at] ^ 1 << bit])], within(export, item))
}

fn overwrite(export: &Export, random: &mut Random) -> Changed {
    let item = any_item(export, random);
    let Range { start, end } = export.items[item].bytes;
    let from = start + random.index(end - start);
    let to = end.min(from + 2 + random.index(8));
    let mut put = random.bytes(to - from);
    // Never what was there.
    put[0] = export.bytes[from] ^ (1 + u8::try_from(random.below(255)).unwrap());
    (format!("bytes {from}..{to}, {:?}", export.items[item]), vec![(from..to, put)], within(export, item))
}

fn drop_items(export: &Export, random: &mut Random) -> Changed {
    let first = any_item(export, random);
    let last = (first + random.index(3)).min(export.items.len() - 1);
    let range = export.items[first].bytes.start..export.items[last].bytes.end;
    (format!("{:?} to {:?}", export.items[first], export.items[last]), vec![(range, vec![])], Found::At(first))
}

fn insert(export: &Export, random: &mut Random) -> Changed {
    let (before, copy) = (any_item(export, random), any_item(export, random));
    let at = export.items[before].bytes.start;
    // A second header is what there was before the first.
    if before == 0 && copy == 0 {
        return insert(export, random);
    }
    // A copy in front of itself is a copy behind itself.
    let found =
        if before == copy && before + 1 < export.items.len() { Found::At(before + 1) } else { Found::At(before) };
    let what = format!("{:?} before {:?}", export.items[copy], export.items[before]);
    (what, vec![(at..at, export.bytes_of(copy))], found)
}

fn invent(export: &Export, random: &mut Random) -> Changed {
    let (before, node) = any_record(export, random);
    let length = 1 + random.index(100);
    let mut nodes = export.nodes[..node].to_vec();
    nodes.push(Node::Leaf(random.bytes(length)));
    let (at, forged) = (export.items[before].bytes.start, export.forged(&nodes));
    // It takes the number of the one that follows, which is then out of order.
    let (_, _, seq) = head(&forged, at);
    let (_, _, bytes) = head(&forged, head(&forged, seq).2);
    let record = forged[at..bytes + length + 34].to_vec();
    (format!("{length} bytes before {:?}", export.items[before]), vec![(at..at, record)], Found::At(before + 1))
}

fn exchange(export: &Export, random: &mut Random) -> Changed {
    let first = random.index(export.items.len() - 1);
    let most = export.items.len() - 1 - first;
    // Neighbours half the time.
    let reach = if random.below(2) == 0 { 1 } else { most };
    let second = first + 1 + random.index(reach);
    let [one, other] = [first, second].map(|item| export.items[item].bytes.clone());
    let splices = vec![(one, export.bytes_of(second)), (other, export.bytes_of(first))];
    let is_head_before_record = export.items[first].what == What::Head && export.items[second].what != What::End;
    // A record in front of the head that stood before it is in its place, and the head is not.
    let found = if second == first + 1 && is_head_before_record { Found::At(second + 1) } else { Found::At(first) };
    (format!("{:?} and {:?}", export.items[first], export.items[second]), splices, found)
}

fn cut(export: &Export, random: &mut Random) -> Changed {
    let item = any_item(export, random);
    let Range { start, end } = export.items[item].bytes;
    // At the item's first byte half the time: nothing but the missing end tells.
    let at = start + random.index(end - start) * size(random.below(2));
    (format!("at byte {at}, {:?}", export.items[item]), vec![(at..export.bytes.len(), vec![])], Found::At(item))
}

fn append(export: &Export, random: &mut Random) -> Changed {
    let (end, length) = (export.bytes.len(), 1 + random.index(50));
    (format!("{length} bytes"), vec![(end..end, random.bytes(length))], Found::At(export.items.len() - 1))
}

/// Another record under the same number, with its own leaf hash, and the end's digest anew.
fn forge(export: &Export, random: &mut Random) -> Changed {
    let (item, node) = any_record(export, random);
    let Node::Leaf(mut bytes) = export.nodes[node].clone() else { unreachable!("it is a record") };
    let at = random.index(bytes.len());
    bytes[at] ^= 1 << random.below(8);
    let mut nodes = export.nodes.clone();
    nodes[node] = Node::Leaf(bytes);
    let forged = export.forged(&nodes);
    let of = export.items[item].bytes.clone();
    let end = export.items.last().unwrap().bytes.clone();
    let splices = vec![(of.clone(), forged[of].to_vec()), (end.clone(), forged[end].to_vec())];
    (format!("byte {at} of {:?}", export.items[item]), splices, Found::NotProven(export.items[item].number))
}

/// A record left out, doubled or exchanged with the next, all others numbered anew, and every hash but the signed ones.
fn renumber(export: &Export, random: &mut Random) -> Changed {
    let (item, node) = any_record(export, random);
    let mut nodes = export.nodes.clone();
    if nodes.iter().any(|node| matches!(node, Node::Pruned { .. })) || node + 1 == nodes.len() {
        // Subtrees cannot be moved; and behind the last record there is nothing to number.
        return forge(export, random);
    }
    let how = ["left out", "doubled", "exchanged"][random.index(3)];
    match how {
        "left out" => drop(nodes.remove(node)),
        "doubled" => nodes.insert(node, nodes[node].clone()),
        _ => nodes.swap(node, node + 1),
    }
    let (range, forged) = (export.from(item), export.forged(&nodes));
    let put = forged[range.start..].to_vec();
    // A doubled record is itself in its place, and what follows is not; the one before a tree head goes unnoticed by it.
    let number = export.items[item].number + u64::from(how == "doubled");
    (format!("{how}: {:?}", export.items[item]), vec![(range, put)], Found::NotProven(number))
}
