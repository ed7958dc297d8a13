//! The live files, as programs see them.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use fuser::{FileAttr, FileType, INodeNo};

/// What a node is.
#[derive(Debug)]
pub(super) enum Content {
    Directory(BTreeMap<String, u64>),
    File(Vec<u8>),
    Socket,
}

/// A folder, file or socket.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) content: Content,
    pub(super) mode: u16,
    pub(super) owner: (u32, u32),
    pub(super) modified: SystemTime,
    /// From the root, `state/journal/journal.db`; of a removed one its last.
    pub(super) path: String,
}

/// All nodes. A removed one stays for who has it open; tests are short.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: HashMap<u64, Node>,
    next: u64,
}

impl Tree {
    pub(super) fn new() -> Tree {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let content = Content::Directory(BTreeMap::new());
        let root = Node { content, mode: 0o755, owner, modified: SystemTime::now(), path: String::new() };
        Tree { nodes: HashMap::from([(INodeNo::ROOT.0, root)]), next: INodeNo::ROOT.0 + 1 }
    }

    pub(super) fn node(&self, number: u64) -> Option<&Node> {
        self.nodes.get(&number)
    }

    pub(super) fn node_mut(&mut self, number: u64) -> Option<&mut Node> {
        self.nodes.get_mut(&number)
    }

    /// The names in a folder.
    pub(super) fn names(&self, directory: u64) -> Option<&BTreeMap<String, u64>> {
        match &self.nodes.get(&directory)?.content {
            Content::Directory(names) => Some(names),
            Content::File(_) | Content::Socket => None,
        }
    }

    pub(super) fn names_mut(&mut self, directory: u64) -> Option<&mut BTreeMap<String, u64>> {
        match &mut self.nodes.get_mut(&directory)?.content {
            Content::Directory(names) => Some(names),
            Content::File(_) | Content::Socket => None,
        }
    }

    /// The bytes of a file.
    pub(super) fn bytes_mut(&mut self, file: u64) -> Option<&mut Vec<u8>> {
        let node = self.nodes.get_mut(&file)?;
        node.modified = SystemTime::now();
        match &mut node.content {
            Content::File(bytes) => Some(bytes),
            Content::Directory(_) | Content::Socket => None,
        }
    }

    /// The path that a name in a folder has.
    pub(super) fn path(&self, directory: u64, name: &str) -> String {
        match self.nodes.get(&directory) {
            Some(node) if !node.path.is_empty() => format!("{}/{name}", node.path),
            _ => name.to_owned(),
        }
    }

    /// Adds a node under a name that is free.
    pub(super) fn add(&mut self, directory: u64, name: &str, content: Content, mode: u16, owner: (u32, u32)) -> u64 {
        let (number, path) = (self.next, self.path(directory, name));
        self.next += 1;
        self.nodes.insert(number, Node { content, mode, owner, modified: SystemTime::now(), path });
        if let Some(names) = self.names_mut(directory) {
            names.insert(name.to_owned(), number);
        }
        number
    }

    /// What `stat` says.
    pub(super) fn facts(&self, number: u64) -> Option<FileAttr> {
        let node = self.nodes.get(&number)?;
        let (kind, size) = match &node.content {
            Content::Directory(_) => (FileType::Directory, 4096),
            Content::File(bytes) => (FileType::RegularFile, bytes.len() as u64),
            Content::Socket => (FileType::Socket, 0),
        };
        Some(FileAttr {
            ino: INodeNo(number),
            size,
            blocks: size.div_ceil(512),
            atime: node.modified,
            mtime: node.modified,
            ctime: node.modified,
            crtime: node.modified,
            kind,
            perm: node.mode,
            nlink: 1,
            uid: node.owner.0,
            gid: node.owner.1,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}
