//! What a recovery of a damaged log must be, whatever the damage.

use mallard_wal::Lsn;

use super::{Delivered, Home, assert_dense};

/// What a recovery of a damaged log delivered.
pub(crate) struct Outcome {
    /// Number of LSNs from 1 to the last one sent that are missing, each inside a gap.
    pub(crate) lost: u64,
    /// The LSN of the next record.
    pub(crate) next: u64,
    pub(crate) delivered: Vec<Delivered>,
}

/// Recovers and checks what must hold whatever the damage: every record is the one that was sent under its LSN, the
/// LSNs are dense with gaps for what is missing, the original is kept, and doing it again changes nothing.
pub(crate) fn recover(home: &Home, newest: u64, case: &str) -> Outcome {
    let (recovery, delivered) = home.recover(0).unwrap_or_else(|error| panic!("{case}: {error}"));
    let next = assert_dense(&delivered, 1);
    let mut lost = 0;
    let mut gaps = Vec::new();
    for delivery in &delivered {
        match *delivery {
            Delivered::Record(lsn, item) => assert_eq!(lsn, item, "{case}: a wrong record"),
            Delivered::Gap(from, to) => {
                lost += (to.min(newest) + 1).saturating_sub(from);
                gaps.push((Lsn::new(from), Lsn::new(to)));
            }
        }
    }
    let report = recovery.report();
    assert_eq!(report.gaps, gaps, "{case}: gaps are reported");
    assert_eq!(report.next_lsn.get(), next, "{case}");
    assert_eq!(home.quarantined(), report.quarantined, "{case}: originals are kept");
    let (again, same) = home.recover(0).unwrap_or_else(|error| panic!("{case}, again: {error}"));
    assert_eq!(same, delivered, "{case}: a second recovery delivers the same");
    assert!(again.report().quarantined.is_empty(), "{case}: a second recovery finds nothing");
    Outcome { lost, next, delivered }
}
