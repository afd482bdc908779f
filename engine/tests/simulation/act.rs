//! What a history consists of, and how one is drawn from a seed.

use mallard_wal::disk::sim::{EIO, ENOSPC, Fault, SimRng};

/// One thing that clients, maintenance, readers, operators, time or the machine do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// So many clients send an event each.
    Append(usize),
    /// One client sends so many events as a unit.
    Group(usize),
    /// One group commit.
    Pump,
    /// One step of maintenance.
    Maintain,
    /// Steps of maintenance until nothing is due.
    Settle,
    /// The flush interval passes.
    Tick,
    /// A day passes.
    Day,
    /// The date is wrong by so many days, ahead or behind, until maintenance has done all it finds to do.
    Leap(i64),
    /// A reader takes a view of the files.
    Hold,
    /// The reader reads what it took.
    Look,
    /// An operator asks for an erasure, which the number draws.
    Erase(u64),
    /// A snapshot is taken.
    Snapshot,
    /// A copy of the store is taken elsewhere.
    Backup,
    /// The process is killed and started again.
    Kill,
    /// The process is stopped and started again.
    Stop,
    /// The power goes off and comes back; the number draws what survives.
    PowerCut(u64),
    /// The power will go off during this operation from now; when it comes back, the second number draws what survives.
    PowerCutIn(u64, u64),
    /// This call from now goes wrong.
    FailIn(u64, Fault),
}

/// Errors that a call may meet.
pub const FAULTS: [Fault; 4] = [Fault::ErrorOnce(EIO), Fault::ErrorOnce(ENOSPC), Fault::ShortWrite, Fault::Interrupted];

/// A random act.
fn draw(rng: &mut SimRng) -> Act {
    let count = |rng: &mut SimRng| 1 + usize::try_from(rng.below(3)).unwrap();
    match rng.below(46) {
        0..8 => Act::Append(count(rng)),
        8..10 => Act::Group(1 + count(rng)),
        10..19 => Act::Pump,
        19..28 => Act::Maintain,
        28 | 29 => Act::Day,
        30 => Act::Tick,
        31 => Act::Hold,
        32 => Act::Look,
        33 => Act::Kill,
        34 => Act::Stop,
        35 => Act::PowerCut(rng.next_u64()),
        38 | 39 => Act::Erase(rng.next_u64()),
        40 => Act::Snapshot,
        41 => Act::Backup,
        44 => Act::Leap(2 + i64::try_from(rng.below(400)).unwrap()),
        45 => Act::Leap(-1 - i64::try_from(rng.below(400)).unwrap()),
        36 | 37 => Act::PowerCutIn(1 + rng.below(60), rng.next_u64()),
        _ => Act::FailIn(1 + rng.below(80), FAULTS[usize::try_from(rng.below(4)).unwrap()]),
    }
}

/// A random history. It ends with a power cut, so there is at least one.
pub fn history(rng: &mut SimRng) -> Vec<Act> {
    let length = 4 + rng.below(24);
    let mut acts: Vec<Act> = (0..length).map(|_| draw(rng)).collect();
    acts.push(Act::PowerCut(rng.next_u64()));
    acts
}

/// A short life that goes through every kind of write: three compactions, a merge, trims, a reader, a day's change.
pub const LIFE: &[Act] = {
    use Act::{Append, Day, Group, Hold, Look, Maintain, Pump};
    &[
        Maintain,
        Append(1),
        Pump,
        Append(1),
        Pump,
        Pump,
        Append(1),
        Pump,
        Group(2),
        Pump,
        Maintain,
        Hold,
        Maintain,
        Maintain,
        Maintain,
        Append(4),
        Pump,
        Maintain,
        Append(1),
        Pump,
        Maintain,
        Maintain,
        Hold,
        Maintain,
        Maintain,
        Look,
        Day,
        Append(2),
        Pump,
        Pump,
        Day,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
    ]
};

/// A short life full of erasures: of what is hot, of what is in files, of what was merged, of what is in a snapshot.
pub const ERASING_LIFE: &[Act] = {
    use Act::{Append, Backup, Day, Erase, Hold, Look, Maintain, Pump, Settle, Snapshot};
    &[
        Append(5),
        Pump,
        Settle,
        Append(3),
        Pump,
        Snapshot,
        Backup,
        Erase(0),
        Append(2),
        Pump,
        Hold,
        Maintain,
        Maintain,
        Maintain,
        Maintain,
        Look,
        Settle,
        Day,
        Append(4),
        Pump,
        Settle,
        Append(2),
        Erase(5),
        Pump,
        Maintain,
        Erase(10),
        Pump,
        Settle,
    ]
};
