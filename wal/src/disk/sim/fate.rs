//! What survives a power cut: [`History`] remembers the possibilities, [`Fate`] chooses among them.

use super::SimRng;

/// How a crash treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashMode {
    /// Any subset survives.
    Random,
    /// Nothing survives: the disk as of the last syncs.
    LoseAll,
    /// Everything survives, as when only the process was killed.
    KeepAll,
}

/// The odds of a survival are drawn anew for every file and folder, in eighths and including none and all: with fair
/// coins "all sectors but one" would need more seeds than there are.
const ODDS: u64 = 8;

/// A series of decisions between old and new.
pub(super) struct Fate<'a> {
    mode: CrashMode,
    rng: &'a mut SimRng,
    odds: u64,
}

impl<'a> Fate<'a> {
    pub(super) fn new(mode: CrashMode, rng: &'a mut SimRng) -> Self {
        Self { mode, rng, odds: ODDS / 2 }
    }

    /// Draws the odds for the next file or folder.
    pub(super) fn turn(&mut self) {
        self.odds = self.rng.below(ODDS + 1);
    }

    /// Whether one unsynced change survives.
    pub(super) fn keeps(&mut self) -> bool {
        match self.mode {
            CrashMode::Random => self.rng.chance(self.odds, ODDS),
            CrashMode::LoseAll => false,
            CrashMode::KeepAll => true,
        }
    }

    /// A number from 0 to `limit`, where 0 is the synced state and `limit` the newest.
    pub(super) fn between(&mut self, limit: usize) -> usize {
        match self.mode {
            CrashMode::Random => usize::try_from(self.rng.below(limit as u64 + 1)).unwrap_or(limit),
            CrashMode::LoseAll => 0,
            CrashMode::KeepAll => limit,
        }
    }
}

/// How many versions between the synced one and the newest are remembered; older ones are forgotten.
const UNSYNCED_VERSIONS_MAX: usize = 8;

/// The versions that one thing has had since its last sync, without the newest, which its owner holds.
pub(super) struct History<T> {
    synced: T,
    unsynced: Vec<T>,
}

impl<T> History<T> {
    pub(super) const fn new(synced: T) -> Self {
        Self { synced, unsynced: Vec::new() }
    }

    pub(super) const fn synced(&self) -> &T {
        &self.synced
    }

    /// Remembers a version that is about to be replaced.
    pub(super) fn push(&mut self, version: T) {
        if self.unsynced.len() == UNSYNCED_VERSIONS_MAX {
            self.unsynced.remove(0);
        }
        self.unsynced.push(version);
    }

    /// The version that is on the disk after a crash; `None` is the newest.
    pub(super) fn survivor(mut self, fate: &mut Fate<'_>) -> Option<T> {
        if fate.keeps() {
            return None;
        }
        match fate.between(self.unsynced.len()) {
            0 => Some(self.synced),
            version => Some(self.unsynced.swap_remove(version - 1)),
        }
    }
}
