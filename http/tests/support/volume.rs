//! A search of everything on a volume: bytes as they are, and the rows of Parquet files, which are compressed.

use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

/// The files below a folder that hold `marker`, in their bytes or in the rows of a Parquet file.
pub(crate) fn holders(folder: &Path, marker: &str) -> Vec<String> {
    let mut found = Vec::new();
    // A server may be at work on the folder: what is gone by now holds nothing.
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(holders(&path, marker));
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        let is_in_bytes = bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
        // One that is being written is not one yet.
        let is_whole = !folder.ends_with("tmp");
        let is_parquet = is_whole && path.extension().is_some_and(|extension| extension == "parquet");
        if is_in_bytes || (is_parquet && rows(&path).iter().any(|row| row.contains(marker))) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// The rows of a Parquet file as text; none of a file that is gone.
pub(crate) fn rows(file: &Path) -> Vec<String> {
    let Ok(file) = File::open(file) else { return Vec::new() };
    let reader = SerializedFileReader::new(file).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
}
