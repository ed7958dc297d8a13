//! The kernel's requests, answered from the tree, noted in the log, refused by a fault.
//!
//! The page cache is on, without which SQLite could not map its `-shm` file; it writes through, so that the log has each
//! write in the order in which programs made it. What a program writes into mapped memory comes when the kernel likes.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite,
    Request, TimeOrNow, WriteFlags,
};

use super::Shared;
use super::fault::Need;
use super::log::Change;
use super::tree::Content;

/// How long the kernel may believe what it was told: nothing changes but through the kernel.
const TTL: Duration = Duration::from_secs(3_600);
/// What `df` shows: 1 GiB.
pub(super) const BLOCKS: u64 = 1 << 18;
const BLOCK_BYTES: u32 = 4_096;
const NAME_BYTES_MAX: u32 = 255;

pub(super) struct Mount(Arc<Mutex<Shared>>);

impl Mount {
    pub(super) fn new(shared: Arc<Mutex<Shared>>) -> Mount {
        Mount(shared)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap()
    }
}

impl Shared {
    fn check(&mut self, path: &str, need: Need) -> Result<(), Errno> {
        self.fault.as_mut().map_or(Ok(()), |fault| fault.check(path, need))
    }

    fn path_of(&self, node: u64) -> Result<String, Errno> {
        self.tree.node(node).map(|node| node.path.clone()).ok_or(Errno::ENOENT)
    }

    fn find(&self, directory: u64, name: &str) -> Result<u64, Errno> {
        self.tree.names(directory).ok_or(Errno::ENOTDIR)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    fn make(
        &mut self,
        directory: u64,
        name: &str,
        content: Content,
        mode: u32,
        request: &Request,
    ) -> Result<u64, Errno> {
        if self.find(directory, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let path = self.tree.path(directory, name);
        self.check(&path, Need::Space)?;
        let is_directory = matches!(content, Content::Directory(_));
        let mode = u16::try_from(mode & 0o7777).unwrap_or(0o600);
        let node = self.tree.add(directory, name, content, mode, (request.uid(), request.gid()));
        self.log.push(Change::Make { directory, name: name.to_owned(), node, is_directory }, &path);
        Ok(node)
    }

    fn remove(&mut self, directory: u64, name: &str) -> Result<(), Errno> {
        let node = self.find(directory, name)?;
        if self.tree.names(node).is_some_and(|names| !names.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        let path = self.tree.path(directory, name);
        self.check(&path, Need::Writing)?;
        self.tree.names_mut(directory).ok_or(Errno::ENOTDIR)?.remove(name);
        self.log.push(Change::Remove { directory, name: name.to_owned() }, &path);
        Ok(())
    }

    fn rename(&mut self, from: (u64, String), to: (u64, String)) -> Result<(), Errno> {
        let node = self.find(from.0, &from.1)?;
        let path = self.tree.path(to.0, &to.1);
        self.check(&path, Need::Writing)?;
        self.tree.names_mut(from.0).ok_or(Errno::ENOTDIR)?.remove(&from.1);
        self.tree.names_mut(to.0).ok_or(Errno::ENOTDIR)?.insert(to.1.clone(), node);
        if let Some(renamed) = self.tree.node_mut(node) {
            // Below a folder that moves, faults would go by the old paths: Weir moves none.
            renamed.path.clone_from(&path);
        }
        self.log.push(Change::Rename { from, to, node }, &path);
        Ok(())
    }

    fn write(&mut self, node: u64, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let path = self.path_of(node)?;
        let offset = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
        let end = offset.checked_add(bytes.len()).ok_or(Errno::EFBIG)?;
        let size = self.tree.bytes_mut(node).ok_or(Errno::EISDIR)?.len();
        self.check(&path, if end > size { Need::Space } else { Need::Writing })?;
        let file = self.tree.bytes_mut(node).ok_or(Errno::EISDIR)?;
        file.resize(size.max(end), 0);
        file[offset..end].copy_from_slice(bytes);
        self.log.push(Change::Write { node, offset, bytes: bytes.to_vec() }, &path);
        Ok(())
    }

    fn resize(&mut self, node: u64, size: u64) -> Result<(), Errno> {
        let path = self.path_of(node)?;
        let size = usize::try_from(size).map_err(|_| Errno::EFBIG)?;
        let before = self.tree.bytes_mut(node).ok_or(Errno::EISDIR)?.len();
        self.check(&path, if size > before { Need::Space } else { Need::Writing })?;
        self.tree.bytes_mut(node).ok_or(Errno::EISDIR)?.resize(size, 0);
        self.log.push(Change::Resize { node, size }, &path);
        Ok(())
    }

    /// Durable from here on; the caller is told so later.
    fn sync(&mut self, node: u64) -> Result<Duration, Errno> {
        let path = self.path_of(node)?;
        self.check(&path, Need::Sync)?;
        self.log.push(Change::Sync { node }, &path);
        Ok(self.sync)
    }
}

/// Tests use no other names.
fn text(name: &OsStr) -> Result<&str, Errno> {
    name.to_str().ok_or(Errno::EILSEQ)
}

#[allow(clippy::too_many_arguments, reason = "the trait's")]
impl Filesystem for Mount {
    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let shared = self.lock();
        let found = text(name).and_then(|name| shared.find(parent.0, name));
        match found.and_then(|node| shared.tree.facts(node).ok_or(Errno::ENOENT)) {
            Ok(facts) => reply.entry(&TTL, &facts, Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn getattr(&self, _request: &Request, node: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        match self.lock().tree.facts(node.0) {
            Some(facts) => reply.attr(&TTL, &facts),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _request: &Request,
        node: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _accessed: Option<TimeOrNow>,
        _modified: Option<TimeOrNow>,
        _changed: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _created: Option<SystemTime>,
        _change_time: Option<SystemTime>,
        _backup_time: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut shared = self.lock();
        let mut set = || {
            if let Some(size) = size {
                shared.resize(node.0, size)?;
            }
            let path = shared.path_of(node.0)?;
            if mode.is_some() || uid.is_some() || gid.is_some() {
                shared.check(&path, Need::Writing)?;
            }
            let changed = shared.tree.node_mut(node.0).ok_or(Errno::ENOENT)?;
            changed.mode = mode.map_or(changed.mode, |mode| u16::try_from(mode & 0o7777).unwrap_or(0o600));
            changed.owner = (uid.unwrap_or(changed.owner.0), gid.unwrap_or(changed.owner.1));
            shared.tree.facts(node.0).ok_or(Errno::ENOENT)
        };
        match set() {
            Ok(facts) => reply.attr(&TTL, &facts),
            Err(errno) => reply.error(errno),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _device: u32,
        reply: ReplyEntry,
    ) {
        let is_socket = rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::Socket;
        let content = if is_socket { Content::Socket } else { Content::File(Vec::new()) };
        let mut shared = self.lock();
        let made = text(name).and_then(|name| shared.make(parent.0, name, content, mode & !umask, request));
        match made.and_then(|node| shared.tree.facts(node).ok_or(Errno::ENOENT)) {
            Ok(facts) => reply.entry(&TTL, &facts, Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let mut shared = self.lock();
        let content = Content::Directory(Default::default());
        let made = text(name).and_then(|name| shared.make(parent.0, name, content, mode & !umask, request));
        match made.and_then(|node| shared.tree.facts(node).ok_or(Errno::ENOENT)) {
            Ok(facts) => reply.entry(&TTL, &facts, Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        match text(name).and_then(|name| self.lock().remove(parent.0, name)) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.unlink(request, parent, name, reply);
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let rename = || {
            let (from, to) = (text(name)?.to_owned(), text(new_name)?.to_owned());
            let mut shared = self.lock();
            match flags {
                flags if flags.is_empty() => {}
                RenameFlags::RENAME_NOREPLACE if shared.find(new_parent.0, &to).is_err() => {}
                RenameFlags::RENAME_NOREPLACE => return Err(Errno::EEXIST),
                _ => return Err(Errno::EINVAL),
            }
            shared.rename((parent.0, from), (new_parent.0, to))
        };
        match rename() {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _request: &Request, _node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let mut shared = self.lock();
        let content = Content::File(Vec::new());
        let made = text(name).and_then(|name| shared.make(parent.0, name, content, mode & !umask, request));
        match made.and_then(|node| shared.tree.facts(node).ok_or(Errno::ENOENT)) {
            Ok(facts) => reply.created(&TTL, &facts, Generation(0), FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _request: &Request,
        node: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let shared = self.lock();
        let Some(Content::File(bytes)) = shared.tree.node(node.0).map(|node| &node.content) else {
            return reply.error(Errno::EISDIR);
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let to = from.saturating_add(usize::try_from(size).unwrap_or(0)).min(bytes.len());
        reply.data(&bytes[from..to]);
    }

    fn write(
        &self,
        _request: &Request,
        node: INodeNo,
        _handle: FileHandle,
        offset: u64,
        bytes: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.lock().write(node.0, offset, bytes) {
            Ok(()) => reply.written(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
            Err(errno) => reply.error(errno),
        }
    }

    fn flush(&self, _request: &Request, _node: INodeNo, _handle: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _request: &Request, node: INodeNo, _handle: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        let synced = self.lock().sync(node.0);
        match synced {
            Ok(takes) => {
                std::thread::sleep(takes);
                reply.ok();
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn fsyncdir(&self, request: &Request, node: INodeNo, handle: FileHandle, datasync: bool, reply: ReplyEmpty) {
        self.fsync(request, node, handle, datasync, reply);
    }

    fn readdir(&self, _request: &Request, node: INodeNo, _handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let shared = self.lock();
        let Some(names) = shared.tree.names(node.0) else { return reply.error(Errno::ENOTDIR) };
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        for (at, (name, number)) in names.iter().enumerate().skip(begin) {
            let Some(facts) = shared.tree.facts(*number) else { continue };
            if reply.add(INodeNo(*number), at as u64 + 1, facts.kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _node: INodeNo, reply: ReplyStatfs) {
        let free = self.lock().free_blocks;
        reply.statfs(BLOCKS, free, free, BLOCKS, BLOCKS, BLOCK_BYTES, NAME_BYTES_MAX, BLOCK_BYTES);
    }
}
