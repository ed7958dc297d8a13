//! What the state stands on.

use super::Fact;

/// The file system of the state directory, and the card below.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Storage {
    pub(in crate::doctor) space: Fact<Space>,
    pub(in crate::doctor) cards: Fact<Vec<Card>>,
    /// Errors that ext4 has noted in its superblock, by device.
    pub(in crate::doctor) ext4_errors: Fact<Vec<(String, u64)>>,
}

/// Room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) struct Space {
    pub(in crate::doctor) bytes: u64,
    pub(in crate::doctor) free_bytes: u64,
    /// Some file systems have no fixed number of inodes: 0.
    pub(in crate::doctor) inodes: u64,
    pub(in crate::doctor) free_inodes: u64,
    pub(in crate::doctor) read_only: bool,
}

/// An eMMC or SD card that tells of its wear (JESD84-B51 §7.4.32 to 34).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) struct Card {
    pub(in crate::doctor) name: String,
    /// Tenths of its life that are used up, of both kinds of its cells; 11 is more than all.
    pub(in crate::doctor) life_tenths: u8,
    /// Its spare blocks: 1 normal, 2 four fifths are used, 3 nine tenths.
    pub(in crate::doctor) pre_eol: u8,
}
