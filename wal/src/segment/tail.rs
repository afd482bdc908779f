//! Torn or corrupt: what it means that a segment stops verifying at some position P.
//!
//! The commit thread has at most one frame outstanding: it writes the next one only after the sync of the one before
//! returned. So the bytes from P on can be the remains of one frame that was never acknowledged, and of nothing else. All
//! that cannot be explained that way is corruption of acknowledged data.
//!
//! | from P on | a frame after P | verdict |
//! |---|---|---|
//! | the file is shorter than it was prepared | | corrupt: a prepared file never shrinks before its SEAL |
//! | | whose durable LSN covers P | corrupt: P was acknowledged |
//! | | any other | corrupt: a second frame was begun, so P had been synced |
//! | zeros | none | clean end |
//! | something, within one frame of P | none | torn: dropped without alarm |
//! | something beyond one frame of P | none | corrupt: no single write reaches that far |
//!
//! Bytes after a SEAL and padding that is not zero are corruption without asking the table: the scan reports them itself.

use thiserror::Error;

use crate::Lsn;
use crate::seeded::{Bug, is_seeded};

/// How corruption was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Corruption {
    /// The header page does not verify.
    #[error("the header page does not verify")]
    Header,
    /// A later frame says that the records from here on were durable.
    #[error("a later frame says that everything up to LSN {durable_lsn} was durable")]
    Acknowledged {
        /// What the later frame says.
        durable_lsn: Lsn,
    },
    /// A later frame exists.
    #[error("the frame at byte {at} was written after it")]
    LaterFrame {
        /// Position of the later frame.
        at: u64,
    },
    /// More bytes than one frame has.
    #[error("{bytes} bytes follow, more than one frame has")]
    BeyondOneFrame {
        /// Number of bytes to the last one that is not zero.
        bytes: u64,
    },
    /// The file was cut.
    #[error("the file is {bytes} bytes shorter than it was prepared")]
    Shortened {
        /// Number of missing bytes.
        bytes: u64,
    },
    /// Something follows the SEAL.
    #[error("something follows the SEAL")]
    AfterSeal,
    /// The padding of a frame is not zero.
    #[error("the padding of a frame is not zero")]
    Padding,
    /// A frame verifies, but one of its records does not.
    #[error("a record does not verify")]
    Record,
    /// A frame verifies, but is not the one that comes next.
    #[error("a frame is out of its place")]
    Sequence,
    /// The SEAL verifies, but the segment does not hold what it says.
    #[error("the segment does not hold what its SEAL says")]
    Seal,
    /// A later segment exists, so this one had been sealed.
    #[error("it ends without a SEAL, though a later segment exists")]
    Unsealed,
    /// The next segment does not continue this one.
    #[error("the next segment does not continue it")]
    Link,
}

/// What there is from P on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    /// The LSN expected at P.
    pub(crate) next_lsn: Lsn,
    /// Bytes from P to the last one that is not zero; 0 if all are zero.
    pub(crate) used_bytes: u64,
    /// The longest frame the segment's writer makes.
    pub(crate) frame_bytes_max: u64,
    /// Position and durable LSN of the furthest frame of this segment after P whose header verifies.
    pub(crate) later_frame: Option<(u64, Lsn)>,
    /// Bytes by which the file is shorter than it was prepared.
    pub(crate) missing_bytes: u64,
}

/// What the tail means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was written there.
    Clean,
    /// The remains of a frame that was never acknowledged.
    Torn,
    /// Acknowledged data is damaged.
    Corrupt(Corruption),
}

/// The table of the module's documentation.
pub(crate) fn judge(tail: &Tail) -> Verdict {
    if is_seeded(Bug::TornForCorrupt) {
        return if tail.used_bytes == 0 { Verdict::Clean } else { Verdict::Torn };
    }
    if tail.missing_bytes > 0 {
        return Verdict::Corrupt(Corruption::Shortened { bytes: tail.missing_bytes });
    }
    match tail.later_frame {
        Some((_, durable_lsn)) if durable_lsn >= tail.next_lsn => {
            Verdict::Corrupt(Corruption::Acknowledged { durable_lsn })
        }
        Some((at, _)) => Verdict::Corrupt(Corruption::LaterFrame { at }),
        None if tail.used_bytes == 0 => Verdict::Clean,
        None if tail.used_bytes <= tail.frame_bytes_max => Verdict::Torn,
        None => Verdict::Corrupt(Corruption::BeyondOneFrame { bytes: tail.used_bytes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zeros where LSN 10 is expected.
    const ZEROS: Tail =
        Tail { next_lsn: Lsn::new(10), used_bytes: 0, frame_bytes_max: 8192, later_frame: None, missing_bytes: 0 };

    #[test]
    fn zeros_to_the_end_are_a_clean_end() {
        assert_eq!(judge(&ZEROS), Verdict::Clean);
    }

    #[test]
    fn remains_within_one_frame_are_torn() {
        for used_bytes in [1, 8192] {
            assert_eq!(judge(&Tail { used_bytes, ..ZEROS }), Verdict::Torn);
        }
    }

    #[test]
    fn remains_beyond_one_frame_are_corruption() {
        let verdict = judge(&Tail { used_bytes: 8193, ..ZEROS });
        assert_eq!(verdict, Verdict::Corrupt(Corruption::BeyondOneFrame { bytes: 8193 }));
    }

    #[test]
    fn a_later_frame_whose_durable_lsn_covers_the_damage_makes_it_corruption() {
        for used_bytes in [0, 100, 9000] {
            let verdict = judge(&Tail { used_bytes, later_frame: Some((4096, Lsn::new(10))), ..ZEROS });
            assert_eq!(verdict, Verdict::Corrupt(Corruption::Acknowledged { durable_lsn: Lsn::new(10) }));
        }
    }

    #[test]
    fn any_later_frame_makes_it_corruption() {
        for used_bytes in [0, 100, 9000] {
            let verdict = judge(&Tail { used_bytes, later_frame: Some((4096, Lsn::new(9))), ..ZEROS });
            assert_eq!(verdict, Verdict::Corrupt(Corruption::LaterFrame { at: 4096 }));
        }
    }

    #[test]
    fn a_file_shorter_than_it_was_prepared_is_corruption() {
        for used_bytes in [0, 100, 9000] {
            let verdict = judge(&Tail { used_bytes, missing_bytes: 7, ..ZEROS });
            assert_eq!(verdict, Verdict::Corrupt(Corruption::Shortened { bytes: 7 }));
        }
    }
}
