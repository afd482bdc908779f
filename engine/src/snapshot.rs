//! What the store shows to queries: a [`View`] as a [`Snapshot`], one UTC day at a time.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::RangeInclusive;

use mallard_event::Date;

use crate::query::{QueryError, Snapshot, Source, SourceFile, Span};
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
        let tail = self.hot(date).map_err(|error| QueryError::Internal(error.to_string()))?;
        let erasures = self.erasures(date);
        let damaged = self.damaged_files(date).map(|file| file.path.to_string()).collect();
        Ok(Source { files, erasures, tail, damaged })
    }

    fn lost(&self, span: Span, as_of: Option<u64>) -> Vec<String> {
        self.lost_in(span, as_of)
    }

    fn day_version(&self, date: Date) -> u64 {
        let mut hash = DefaultHasher::new();
        for file in self.files(date) {
            (&file.path, file.crc32).hash(&mut hash);
        }
        for erasure in self.erasures(date) {
            erasure.id.hash(&mut hash);
        }
        for file in self.damaged_files(date) {
            (&file.path, "damaged").hash(&mut hash);
        }
        self.hot_version(date).hash(&mut hash);
        hash.finish()
    }
}
