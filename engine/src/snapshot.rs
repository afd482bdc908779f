//! What the store shows to queries: a [`View`] as a [`Snapshot`], one UTC day at a time.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::RangeInclusive;

use mallard_compactor::Error;
use mallard_event::Date;

use crate::query::{QueryError, Snapshot, Source, SourceFile};
use crate::store::View;

impl Snapshot for View {
    fn as_of(&self) -> u64 {
        self.high_water().get()
    }

    fn days_with_data(&self, range: RangeInclusive<Date>) -> Vec<Date> {
        self.days(range)
    }

    fn day(&self, date: Date) -> Result<Source, QueryError> {
        let files = self
            .files(date)
            .map(|file| SourceFile {
                path: self.root().join(&*file.path),
                crc32: file.crc32,
                is_adopted: file.schema_version == mallard_compactor::SCHEMA_ADOPTED,
            })
            .collect();
        let mut tail = self.hot(date).map_err(|error| QueryError::Internal(error.to_string()))?;
        tail.extend(self.left(date).map_err(unreadable)?);
        let damaged = self.damaged_files(date).map(|file| file.path.to_string()).collect();
        Ok(Source { files, tail, damaged })
    }

    fn day_version(&self, date: Date) -> u64 {
        let mut hash = DefaultHasher::new();
        for file in self.files(date) {
            (&file.path, file.crc32).hash(&mut hash);
        }
        for (file, erasures) in self.erasing_files(date) {
            let ids: Vec<_> = erasures.iter().map(|erasure| erasure.id).collect();
            (&file.path, ids).hash(&mut hash);
        }
        for file in self.damaged_files(date) {
            (&file.path, "damaged").hash(&mut hash);
        }
        self.hot_version(date).hash(&mut hash);
        hash.finish()
    }
}

/// A file that cannot be read as what was published is damaged, whoever finds it.
fn unreadable(error: Error) -> QueryError {
    match error.damaged_file() {
        Some(path) => QueryError::Damaged { file: path.to_owned(), reason: error.to_string() },
        None => QueryError::Internal(error.to_string()),
    }
}
