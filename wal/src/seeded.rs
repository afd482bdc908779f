//! Known durability bugs, to be switched on by tests that must see them: who has never seen a smoke detector ring does not
//! know that it works.
//!
//! Without the cargo feature `seeded-bugs`, which only the tests of this workspace switch on, [`is_seeded`] is the constant
//! `false` and every hook vanishes. With it, a bug is on for one thread, from [`plant`] until the guard is dropped. Syncs
//! that are left out need no hook: a [`Disk`](crate::disk::Disk) that forgets shows them.
//!
//! `docs/reliability.md` says which test sees which bug.

use std::io;

/// A bug of the log, of the compactor or of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Receipts resolve without regard to what the sync says.
    AcknowledgeBeforeSync,
    /// Events are shown to queries although their sync has not returned.
    ShowBeforeSync,
    /// A failed write or sync of a commit is answered "not written", and the log goes on.
    GoOnAfterFailure,
    /// The file is cut to its sealed length before its SEAL is durable.
    CutBeforeSeal,
    /// No MARK is written when the queue is idle.
    LeaveOutMark,
    /// A file gets its name before its bytes are durable.
    NameBeforeBytes,
    /// The tail of an earlier life is sealed where it lies instead of being flushed, read back and copied.
    AppendToOldTail,
    /// Recovery rewrites a segment in its own file instead of in a copy.
    RepairInPlace,
    /// The first record of a life gets the LSN of the last one of the life before.
    ReuseLsn,
    /// LSNs that were lost with the end of the log are given out again.
    ReuseLostLsns,
    /// Corruption is dropped like a torn tail.
    TornForCorrupt,
    /// The chain value of a frame is not compared.
    ForgetChain,
    /// Nor is that of a segment's header with the SEAL before it.
    ForgetLink,
    /// The padding of a frame may be anything.
    IgnorePadding,
    /// Checksums do not end in the store's tag.
    IgnoreStoreTag,
    /// Segments of other stores are taken.
    IgnoreStoreId,
    /// The damaged original is not kept.
    DropOriginal,
    /// The segment right above the checkpoint is trimmed too.
    TrimOneTooMany,
    /// Segments are trimmed before the manifest says that they may be.
    TrimBeforeCommit,
    /// The inputs of a merge are unlinked before the manifest names its output.
    UnlinkBeforeCommit,
    /// What has moved into files stays in the tail.
    KeepTail,
    /// Manifest and tail are swapped one after the other.
    SwapSeparately,
    /// Files are unlinked that a view still names.
    UnlinkViewed,
    /// A job whose write or sync failed is run again.
    RetryJob,
    /// The plan takes segments that were compacted.
    CompactTwice,
    /// Opening takes every Parquet file that it finds.
    OpenByListing,
    /// No MARK follows an edit of the manifest.
    LeaveOutManifestMark,
    /// A damaged manifest file is passed over in favour of the one before it.
    FallBackToOlderManifest,
    /// Parquet files are read without a look at their checksum.
    SkipFileChecksum,
    /// A compaction writes what an erasure takes.
    CompactErased,
    /// An erasure is done without a look at the snapshots.
    EraseForgetsSnapshots,
    /// A restore does not apply the ledger.
    RestoreErased,
    /// A start forgets the erasures that were not finished.
    ForgetErasing,
    /// An erasure leaves alone what is in files.
    EraseForgetsFiles,
    /// Views show what an unfinished erasure takes.
    ShowErased,
}

/// Whether this thread has `bug`.
#[cfg(not(feature = "seeded-bugs"))]
#[inline]
pub const fn is_seeded(_bug: Bug) -> bool {
    false
}

/// The error, unless this thread has `bug`.
#[inline]
pub fn excuse(bug: Bug, error: io::Error) -> io::Result<()> {
    if is_seeded(bug) { Ok(()) } else { Err(error) }
}

/// Where a test may look at what happens between two steps that should be one.
#[cfg(not(feature = "seeded-bugs"))]
#[inline]
pub const fn between() {}

#[cfg(feature = "seeded-bugs")]
pub use planted::{Planted, between, is_seeded, look_between, plant};

#[cfg(feature = "seeded-bugs")]
mod planted {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use super::Bug;

    thread_local! {
        static BUG: Cell<Option<Bug>> = const { Cell::new(None) };
        static LOOK: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    }

    /// The bug is there until this is dropped.
    #[derive(Debug)]
    pub struct Planted(());

    /// Gives this thread a bug.
    #[must_use]
    pub fn plant(bug: Bug) -> Planted {
        BUG.set(Some(bug));
        Planted(())
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            BUG.set(None);
            LOOK.set(None);
        }
    }

    /// Whether this thread has `bug`.
    pub fn is_seeded(bug: Bug) -> bool {
        BUG.get() == Some(bug)
    }

    /// What [`between`] calls on this thread, until the bug is gone.
    pub fn look_between(look: impl Fn() + 'static) {
        LOOK.set(Some(Rc::new(look)));
    }

    /// Where a test may look at what happens between two steps that should be one.
    pub fn between() {
        let look = LOOK.with_borrow(Clone::clone);
        if let Some(look) = look {
            look();
        }
    }
}
