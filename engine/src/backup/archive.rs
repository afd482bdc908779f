//! [`backup`]: a consistent moment of a store, file by file, into something that takes files.

use std::io::{self, Read};
use std::path::Path;

use mallard_wal::disk::{Disk, Env, File};

use super::image::Image;
use super::snapshot::Snapshots;
use crate::error::{Error, IoContext as _};

/// Where the files of a backup go: a folder, a stream.
pub trait Archive {
    /// Takes one file: its path within the data directory, with `/` between folders, its length, and its bytes.
    fn file(&mut self, path: &str, bytes: u64, content: &mut dyn Read) -> io::Result<()>;
}

/// Copies the store in `data_dir`, which may be open in a server, into `archive`, without the documents in `without`.
/// `progress` hears how many bytes of how many are there.
pub fn backup(
    data_dir: &Path,
    env: &Env,
    without: &[&str],
    archive: &mut dyn Archive,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Image, Error> {
    Snapshots::of(env.clone(), data_dir).with_passing(without, |folder, image| {
        let mut files = Vec::new();
        list(env.disk.as_ref(), folder, "", &mut files)?;
        // Last, so that what is cut off is no store.
        files.sort_by_key(|(path, _)| path == "STORE");
        let total = files.iter().map(|(_, bytes)| bytes).sum();
        let mut done = 0;
        for (path, bytes) in files {
            let source = folder.join(&path);
            let file = env.disk.open(&source).at(&source)?;
            archive.file(&path, bytes, &mut Reader { file: file.as_ref(), at: 0 }).at(&source)?;
            done += bytes;
            progress(done, total);
        }
        Ok(image)
    })
}

/// All files below a folder, with their paths relative to `root`.
fn list(disk: &dyn Disk, root: &Path, folder: &str, files: &mut Vec<(String, u64)>) -> Result<(), Error> {
    let path = root.join(folder);
    for entry in disk.list(&path).at(&path)? {
        let inside = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
        if entry.is_dir {
            list(disk, root, &inside, files)?;
        } else {
            files.push((inside, entry.bytes));
        }
    }
    Ok(())
}

/// A file from its beginning.
struct Reader<'a> {
    file: &'a dyn File,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
