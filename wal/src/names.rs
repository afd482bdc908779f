//! The names of files in the log's folder.
//!
//! ```text
//! 00000000000000000001.wal       a segment: its first LSN in 20 digits, so that the order of names is the log's order
//! 00000000000000000002.wal.new   a file on its way to become one: prepared, or being rebuilt; worthless after a crash
//! ```

use std::path::{Path, PathBuf};

use crate::Lsn;

const SEGMENT_SUFFIX: &str = ".wal";
const UNFINISHED_SUFFIX: &str = ".wal.new";
const DIGITS: usize = 20;

/// What a name in the folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A segment that starts at this LSN.
    Segment(Lsn),
    /// A file that never got its name.
    Unfinished,
    /// It ends like a segment, but does not name an LSN.
    Misnamed,
    /// Nothing of ours.
    Other,
}

impl Name {
    pub(crate) fn parse(name: &str) -> Self {
        if name.ends_with(UNFINISHED_SUFFIX) {
            return Self::Unfinished;
        }
        let Some(digits) = name.strip_suffix(SEGMENT_SUFFIX) else {
            return Self::Other;
        };
        let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse() {
            Ok(first) if is_number && (Lsn::FIRST..=Lsn::MAX).contains(&Lsn::new(first)) => {
                Self::Segment(Lsn::new(first))
            }
            _ => Self::Misnamed,
        }
    }
}

/// The segment that starts at `first`.
pub fn segment(dir: &Path, first: Lsn) -> PathBuf {
    dir.join(format!("{:020}{SEGMENT_SUFFIX}", first.get()))
}

/// A file that will become a segment; `number` keeps apart those that exist at one time.
pub(crate) fn unfinished(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}{UNFINISHED_SUFFIX}"))
}

/// The last part of a path of ours, as text.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_segment_names_is_the_order_of_the_log() {
        let name = |lsn| segment(Path::new("wal"), Lsn::new(lsn));
        assert_eq!(name(1), Path::new("wal/00000000000000000001.wal"));
        assert!(name(9) < name(10) && name(10) < name(u64::MAX));
        assert_eq!(Name::parse(&file_name(&name(77))), Name::Segment(Lsn::new(77)));
    }

    #[test]
    fn only_twenty_digits_name_a_segment() {
        for name in
            ["1.wal", "0000000000000000000x.wal", "+0000000000000000001.wal", "00000000000000000000.wal", ".wal"]
        {
            assert_eq!(Name::parse(name), Name::Misnamed, "{name}");
        }
        assert_eq!(Name::parse("00000000000000000007.wal.new"), Name::Unfinished);
        assert_eq!(Name::parse("notes.txt"), Name::Other);
    }
}
