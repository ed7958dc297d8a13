//! From the log to what may be left when the power goes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chance::Chance;
use super::image::Image;
use super::log::Change;

const ROOT: u64 = 1;
/// Changes of one file that may be unsynced at one time; then the older half is taken as written back, as a kernel does
/// after some seconds. It bounds what is never synced: SQLite's `-shm`.
const UNSYNCED_MAX: usize = 4_096;
/// What is written whole or not at all: a sector of old disks and cards, a page of all others.
const BLOCK_BYTES: [usize; 2] = [512, 4_096];

/// What becomes of names, and of a file's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// As ext4 with `data=ordered`: names and lengths are kept in the order in which they were made, any sync keeps all of
    /// them so far, and what a file grew by is written before its new length is.
    Ordered,
    /// The least that POSIX promises: a name is durable when its folder was synced, each other one by chance; a file may
    /// have grown and hold zeros there. A rename is there whole or not at all.
    Posix,
}

/// A disk while the log is played: what is durable, and what may be.
#[derive(Debug)]
pub struct Platter<'a> {
    law: Law,
    folders: BTreeMap<u64, BTreeMap<String, u64>>,
    files: HashMap<u64, File<'a>>,
    names: Vec<&'a Change>,
}

/// A file's durable bytes, and what was done to it since.
#[derive(Debug, Default)]
struct File<'a> {
    durable: Vec<u8>,
    unsynced: Vec<&'a Change>,
}

impl<'a> Platter<'a> {
    /// An empty disk.
    pub fn new(law: Law) -> Platter<'a> {
        Platter { law, folders: BTreeMap::from([(ROOT, BTreeMap::new())]), files: HashMap::new(), names: Vec::new() }
    }

    /// Plays one more change.
    pub fn play(&mut self, change: &'a Change) {
        match change {
            Change::Make { node, is_directory, .. } => {
                if *is_directory {
                    self.folders.insert(*node, BTreeMap::new());
                } else {
                    self.files.insert(*node, File::default());
                }
                self.names.push(change);
            }
            Change::Remove { .. } | Change::Rename { .. } => self.names.push(change),
            Change::Write { node, .. } | Change::Resize { node, .. } => {
                let file = self.files.entry(*node).or_default();
                file.unsynced.push(change);
                if file.unsynced.len() > UNSYNCED_MAX {
                    file.settle(UNSYNCED_MAX / 2);
                }
            }
            Change::Sync { node } => self.sync(*node),
            Change::Settle => {
                self.files.values_mut().for_each(|file| file.settle(usize::MAX));
                self.keep_names(|_| true);
            }
        }
    }

    fn sync(&mut self, node: u64) {
        if let Some(file) = self.files.get_mut(&node) {
            file.settle(usize::MAX);
        }
        match self.law {
            Law::Ordered => self.keep_names(|_| true),
            Law::Posix => self.keep_names(|folder| folder == node),
        }
    }

    /// Makes the names of some folders durable; of a rename, the new one counts.
    fn keep_names(&mut self, folder: impl Fn(u64) -> bool) {
        let (kept, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.names).into_iter().partition(|change| match change {
                Change::Make { directory, .. } | Change::Remove { directory, .. } => folder(*directory),
                Change::Rename { to, .. } => folder(to.0),
                _ => false,
            });
        kept.into_iter().for_each(|change| rename(&mut self.folders, change));
        self.names = open;
    }

    /// What the disk may hold if the power goes now.
    pub fn cut(&self, chance: &mut Chance) -> Image {
        let mut folders = self.folders.clone();
        match self.law {
            Law::Ordered => {
                let kept = chance.below(self.names.len() + 1);
                self.names.iter().take(kept).for_each(|change| rename(&mut folders, change));
            }
            Law::Posix => {
                let percent = [0, 50, 100][chance.below(3)];
                let kept: Vec<_> = self.names.iter().filter(|_| chance.percent(percent)).collect();
                kept.into_iter().for_each(|change| rename(&mut folders, change));
            }
        }
        let mut image = Image::default();
        let (block_bytes, percent) = (BLOCK_BYTES[chance.below(2)], [0, 10, 50, 90, 100][chance.below(5)]);
        let mut seen = BTreeSet::new();
        let mut walk = vec![(String::new(), ROOT)];
        while let Some((above, folder)) = walk.pop() {
            for (name, node) in &folders[&folder] {
                let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
                if folders.contains_key(node) {
                    // A folder has one name; two would be a bug of ours.
                    assert!(seen.insert(*node), "{path} is there twice");
                    image.folders.push(path.clone());
                    walk.push((path, *node));
                } else if let Some(file) = self.files.get(node) {
                    image.files.insert(path, file.cut(self.law, block_bytes, percent, chance));
                }
            }
        }
        image.folders.sort();
        image
    }
}

/// Plays a change of names.
fn rename(folders: &mut BTreeMap<u64, BTreeMap<String, u64>>, change: &Change) {
    let mut set = |folder: u64, name: &String, node: Option<u64>| {
        let names = folders.entry(folder).or_default();
        match node {
            Some(node) => names.insert(name.clone(), node),
            None => names.remove(name),
        };
    };
    match change {
        Change::Make { directory, name, node, .. } => set(*directory, name, Some(*node)),
        Change::Remove { directory, name } => set(*directory, name, None),
        Change::Rename { from, to, node } => {
            set(to.0, &to.1, Some(*node));
            // Its old name may have become another's, whose making came through and whose renaming did not.
            if folders.get(&from.0).and_then(|names| names.get(&from.1)) == Some(node) {
                folders.entry(from.0).or_default().remove(&from.1);
            }
        }
        Change::Write { .. } | Change::Resize { .. } | Change::Sync { .. } | Change::Settle => {}
    }
}

impl File<'_> {
    fn settle(&mut self, most: usize) {
        let done = most.min(self.unsynced.len());
        for change in self.unsynced.drain(..done) {
            apply(&mut self.durable, change);
        }
    }

    /// Each block as it was after some of the changes, by chance: `percent` is how likely the newest is.
    fn cut(&self, law: Law, block_bytes: usize, percent: usize, chance: &mut Chance) -> Vec<u8> {
        if self.unsynced.is_empty() {
            return self.durable.clone();
        }
        // After how many changes the length is taken: 0 is the durable one.
        let count = self.unsynced.len();
        let lengths = if chance.percent(percent) { count } else { chance.below(count + 1) };
        // Which changes touch a block.
        let mut touched: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let (mut length, mut kept_length) = (self.durable.len(), self.durable.len());
        for (nth, change) in self.unsynced.iter().enumerate() {
            let (from, to) = match change {
                Change::Write { offset, bytes, .. } => (*offset, offset + bytes.len()),
                Change::Resize { size, .. } => (length.min(*size), length.max(*size)),
                _ => continue,
            };
            length = if matches!(change, Change::Resize { .. }) && to == length { from } else { length.max(to) };
            if nth < lengths {
                kept_length = length;
            }
            (from / block_bytes..to.div_ceil(block_bytes))
                .for_each(|block| touched.entry(block).or_default().push(nth));
        }
        // Which state of each block is left: the number of changes it has seen.
        let mut left: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut whole = self.durable.clone();
        for (block, changes) in touched {
            // Data that a kept length rests on was written before it.
            let grown = law == Law::Ordered && (block + 1) * block_bytes > self.durable.len();
            let least = if grown { changes.iter().filter(|nth| **nth < lengths).count() } else { 0 };
            let seen =
                if chance.percent(percent) { changes.len() } else { least + chance.below(changes.len() + 1 - least) };
            if seen > 0 {
                left.entry(changes[seen - 1]).or_default().push(block);
            }
        }
        let mut state = self.durable.clone();
        for (nth, change) in self.unsynced.iter().enumerate() {
            apply(&mut state, change);
            for block in left.get(&nth).into_iter().flatten() {
                let (from, to) = (block * block_bytes, ((block + 1) * block_bytes).min(state.len()));
                whole.resize(whole.len().max(to), 0);
                if from < to {
                    whole[from..to].copy_from_slice(&state[from..to]);
                }
            }
        }
        whole.resize(kept_length, 0);
        whole
    }
}

/// Does to bytes what a change did to the file.
fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes: written, .. } => {
            let end = offset + written.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*offset..end].copy_from_slice(written);
        }
        Change::Resize { size, .. } => bytes.resize(*size, 0),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(node: u64, name: &str) -> Change {
        Change::Make { directory: ROOT, name: name.into(), node, is_directory: false }
    }

    fn write(node: u64, offset: usize, text: &str) -> Change {
        Change::Write { node, offset, bytes: text.into() }
    }

    /// Every image that a thousand seeds make of these changes.
    fn images(law: Law, changes: &[Change]) -> BTreeSet<String> {
        let mut platter = Platter::new(law);
        changes.iter().for_each(|change| platter.play(change));
        let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "0");
        let image = |seed| platter.cut(&mut Chance::new(seed));
        let line = |image: Image| {
            let files = image.files.iter().map(|(path, bytes)| format!("{path}={}", show(bytes)));
            files.collect::<Vec<_>>().join(" ")
        };
        (0..1_000).map(|seed| line(image(seed))).collect()
    }

    fn set(expected: &[&str]) -> BTreeSet<String> {
        expected.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn what_was_synced_is_there_and_the_rest_may_be() {
        let story = [make(2, "a"), write(2, 0, "old"), Change::Sync { node: 2 }, write(2, 0, "new")];
        assert_eq!(images(Law::Ordered, &story), set(&["a=old", "a=new"]));
        // Nobody synced the folder.
        assert_eq!(images(Law::Posix, &story), set(&["", "a=old", "a=new"]));
        let lasting: Vec<Change> = story.iter().cloned().chain([Change::Sync { node: ROOT }]).collect();
        assert_eq!(images(Law::Posix, &lasting), set(&["a=old", "a=new"]));
    }

    #[test]
    fn a_length_comes_after_its_data_only_where_the_disk_orders_them() {
        let story = [make(2, "a"), Change::Settle, write(2, 0, "data")];
        assert_eq!(images(Law::Ordered, &story), set(&["a=", "a=data"]));
        assert_eq!(images(Law::Posix, &story), set(&["a=", "a=data", "a=0000"]));
    }

    #[test]
    fn names_come_in_order_or_by_chance() {
        let story = [make(2, "a"), make(3, "b")];
        assert_eq!(images(Law::Ordered, &story), set(&["", "a=", "a= b="]));
        assert_eq!(images(Law::Posix, &story), set(&["", "a=", "b=", "a= b="]));
    }

    #[test]
    fn a_file_that_is_replaced_is_the_old_or_the_new_one() {
        let replace = Change::Rename { from: (ROOT, "a.new".into()), to: (ROOT, "a".into()), node: 3 };
        let old = [make(2, "a"), write(2, 0, "old"), Change::Settle];
        let careful = [make(3, "a.new"), write(3, 0, "new"), Change::Sync { node: 3 }, replace.clone()];
        let story: Vec<Change> = old.iter().chain(&careful).cloned().collect();
        assert_eq!(images(Law::Ordered, &story), set(&["a=old a.new=new", "a=new"]));
        assert_eq!(images(Law::Posix, &story), set(&["a=old", "a=old a.new=new", "a=new"]));
        // The negative control: without its sync the new name may stand before the bytes.
        let careless = [make(3, "a.new"), write(3, 0, "new"), replace];
        let story: Vec<Change> = old.iter().chain(&careless).cloned().collect();
        assert!(images(Law::Ordered, &story).contains("a="), "renamed and empty");
    }

    #[test]
    fn blocks_tear_and_keep_their_order_within() {
        let (old, new) = ("o".repeat(1_024), "n".repeat(1_024));
        let story = [make(2, "a"), write(2, 0, &old), Change::Settle, write(2, 0, &new), write(2, 600, "!")];
        let images = images(Law::Ordered, &story);
        let half = 512;
        let (first, second) = ([&old[..half], &new[..half]], [&old[half..], &new[half..]]);
        let struck = format!("{}!{}", &new[half..600], &new[601..]);
        for image in &images {
            let bytes = &image["a=".len()..];
            assert!(first.contains(&&bytes[..half]), "{image}");
            assert!(second.contains(&&bytes[half..]) || bytes[half..] == struck, "{image}");
        }
        assert_eq!(images.len(), 6, "each half by itself, the second in three states");
    }
}
