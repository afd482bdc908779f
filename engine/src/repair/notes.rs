//! `REPAIRED`: what repairs have done, what starts have found damaged, and nobody has acknowledged; a line each, a reason
//! each for being degraded.

use std::io::ErrorKind;

use mallard_wal::disk::{self, Disk, Env, durable};

use crate::error::{Error, IoContext as _};
use crate::layout::Layout;

/// Lines that are kept; a repair of a large store may move thousands of files.
const LINES_MAX: usize = 50;
const MORE: &str = "repaired: more than is listed here; see quarantine/repaired/";

/// The lines; none if there is no such file.
pub(crate) fn read_notes(disk: &dyn Disk, layout: &Layout) -> Result<Vec<String>, Error> {
    let path = layout.repaired();
    match disk::read(disk, &path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        bytes => Ok(String::from_utf8_lossy(&bytes.at(&path)?).lines().map(str::to_owned).collect()),
    }
}

/// An operator knows.
pub(crate) fn forget_notes(disk: &dyn Disk, layout: &Layout) -> Result<(), Error> {
    let path = layout.repaired();
    durable::remove(disk, &path).at(&path)
}

/// Adds lines, each once, durably.
pub(crate) fn add_notes(env: &Env, layout: &Layout, lines: impl Iterator<Item = String>) -> Result<(), Error> {
    let mut kept = read_notes(env.disk.as_ref(), layout)?;
    for line in lines {
        if kept.len() == LINES_MAX {
            kept.push(MORE.to_owned());
        }
        if kept.len() < LINES_MAX && !kept.contains(&line) {
            kept.push(line);
        }
    }
    let text: String = kept.into_iter().map(|line| line + "\n").collect();
    let path = layout.repaired();
    durable::replace(env.disk.as_ref(), &layout.tmp().join("REPAIRED"), &path, text.as_bytes()).at(&path)
}

/// How many positions the last repair of the manifest could not account for; 0 if there was none.
pub(crate) fn unaccounted(disk: &dyn Disk, layout: &Layout) -> Result<u64, String> {
    match disk::read(disk, &layout.unaccounted()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.to_string()),
        Ok(bytes) => {
            let number = String::from_utf8_lossy(&bytes).trim_end().parse();
            number.map_err(|_| "it is damaged: no number is in it".to_owned())
        }
    }
}

/// Notes how many positions a repair of the manifest could not account for, durably.
pub(crate) fn note_unaccounted(env: &Env, layout: &Layout, count: u64) -> Result<(), Error> {
    let path = layout.unaccounted();
    let text = format!("{count}\n");
    durable::replace(env.disk.as_ref(), &layout.tmp().join("unaccounted"), &path, text.as_bytes()).at(&path)
}
