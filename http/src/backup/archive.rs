//! Where a backup goes to and comes from: a folder, a tar file, or a tar stream (`-`).
//!
//! Files are 0600, folders 0700, no time and no owner is kept. The destination is new or empty: nothing is overwritten.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use mallard_engine::{Archive, Error, Restore};

/// A path that a user gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Folder(PathBuf),
    TarFile(PathBuf),
    Stream,
}

impl Place {
    /// `-` is a stream, a name that ends in `.tar` a file, anything else a folder.
    pub(super) fn of(path: &Path) -> Self {
        match path {
            _ if path == Path::new("-") => Self::Stream,
            _ if path.extension().is_some_and(|extension| extension == "tar") => Self::TarFile(path.to_owned()),
            _ => Self::Folder(path.to_owned()),
        }
    }
}

/// A backup that is being written.
pub(super) enum Writing {
    Folder(Folder),
    Tar(Tar<BufWriter<File>>, PathBuf),
    Stream(Tar<io::Stdout>),
}

impl Writing {
    pub(super) fn begin(place: &Place) -> io::Result<Self> {
        Ok(match place {
            Place::Folder(path) => Self::Folder(Folder::begin(path)?),
            Place::TarFile(path) => Self::Tar(Tar(tar::Builder::new(BufWriter::new(create(path)?))), path.clone()),
            Place::Stream => Self::Stream(Tar(tar::Builder::new(io::stdout()))),
        })
    }

    pub(super) fn archive(&mut self) -> &mut dyn Archive {
        match self {
            Self::Folder(folder) => folder,
            Self::Tar(tar, _) => tar,
            Self::Stream(tar) => tar,
        }
    }

    /// Everything is where it should be, and durable if it is on a disk.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Folder(folder) => folder.finish(),
            Self::Tar(Tar(tar), path) => {
                tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
                sync_name(&path)
            }
            Self::Stream(Tar(tar)) => tar.into_inner()?.flush(),
        }
    }
}

/// Makes the name of a file or folder durable.
fn sync_name(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A folder with the files of an image.
pub(super) struct Folder {
    root: PathBuf,
    folders: Vec<PathBuf>,
}

impl Folder {
    fn begin(root: &Path) -> io::Result<Self> {
        make_folder(root)?;
        if fs::read_dir(root)?.next().is_some() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the folder is not empty"));
        }
        Ok(Self { root: root.to_owned(), folders: vec![root.to_owned()] })
    }

    fn finish(self) -> io::Result<()> {
        self.folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())?;
        sync_name(&self.root)
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Archive for Folder {
    fn file(&mut self, path: &str, _bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        let path = self.root.join(path);
        if let Some(folder) = path.parent().filter(|folder| !self.folders.iter().any(|known| known == folder)) {
            make_folder(folder)?;
            self.folders.push(folder.to_owned());
        }
        let mut file = create(&path)?;
        io::copy(content, &mut file)?;
        file.sync_all()
    }
}

/// A tar stream.
pub(super) struct Tar<W: Write>(tar::Builder<W>);

impl<W: Write> Archive for Tar<W> {
    fn file(&mut self, path: &str, bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        self.0.append_data(&mut header, path, content)
    }
}

/// Hands every file of a backup to `restore`.
pub(super) fn read(place: &Place, restore: &mut Restore) -> Result<(), Error> {
    let at = |source: io::Error| Error::Io { path: place.path(), source };
    match place {
        Place::Folder(root) => read_folder(root, Path::new(""), restore),
        Place::TarFile(path) => read_tar(BufReader::new(File::open(path).map_err(at)?), restore, &at),
        Place::Stream => read_tar(io::stdin().lock(), restore, &at),
    }
}

fn read_folder(root: &Path, folder: &Path, restore: &mut Restore) -> Result<(), Error> {
    let path = root.join(folder);
    let at = |source: io::Error| Error::Io { path: path.clone(), source };
    for entry in fs::read_dir(&path).map_err(at)? {
        let entry = entry.map_err(at)?;
        let inside = folder.join(entry.file_name());
        // A link is neither, and is passed over.
        let kind = entry.file_type().map_err(at)?;
        if kind.is_dir() {
            read_folder(root, &inside, restore)?;
        } else if kind.is_file() {
            restore.file(&inside, &mut File::open(entry.path()).map_err(at)?)?;
        }
    }
    Ok(())
}

fn read_tar(stream: impl Read, restore: &mut Restore, at: &dyn Fn(io::Error) -> Error) -> Result<(), Error> {
    let at = |error: io::Error| {
        // Some of the library's errors have no kind of their own.
        let is_cut = error.kind() == io::ErrorKind::UnexpectedEof || error.to_string().starts_with("unexpected EOF");
        at(if is_cut { io::Error::new(error.kind(), "the copy is incomplete: its end is missing") } else { error })
    };
    for entry in tar::Archive::new(stream).entries().map_err(at)? {
        let mut entry = entry.map_err(at)?;
        if entry.header().entry_type().is_file() {
            let path = entry.path().map_err(at)?.into_owned();
            restore.file(&path, &mut entry)?;
        }
    }
    Ok(())
}

impl Place {
    /// Whether there is something to read.
    pub(super) fn check(&self) -> io::Result<()> {
        match self {
            Self::Folder(path) => fs::read_dir(path).map(drop),
            Self::TarFile(path) => File::open(path).map(drop),
            Self::Stream => Ok(()),
        }
    }

    /// Whether whoever gave the name expects a compressed file rather than a folder.
    pub(super) fn has_name_of_compressed(&self) -> bool {
        let Self::Folder(path) = self else { return false };
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| ["tgz", "gz", "zst", "xz", "bz2", "zip"].contains(&extension))
    }

    /// Removes the file of a backup that failed. A folder is left: what is in it is no store, and may be of use.
    #[expect(
        clippy::disallowed_methods,
        reason = "this command has just made the file, for its user and not for the store"
    )]
    pub(super) fn discard(&self) {
        if let Self::TarFile(path) = self {
            // The failure itself is what is reported.
            fs::remove_file(path).ok();
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Folder(path) | Self::TarFile(path) => path.clone(),
            Self::Stream => PathBuf::from("standard input"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_what_it_is() {
        assert_eq!(Place::of(Path::new("-")), Place::Stream);
        assert_eq!(Place::of(Path::new("a/b.tar")), Place::TarFile("a/b.tar".into()));
        assert_eq!(Place::of(Path::new("a/b.tar.gz")), Place::Folder("a/b.tar.gz".into()));
        assert_eq!(Place::of(Path::new("a")), Place::Folder("a".into()));
        for (name, is_compressed) in
            [("a.tgz", true), ("a/b.tar.gz", true), ("a.tar", false), ("a", false), ("-", false)]
        {
            assert_eq!(Place::of(Path::new(name)).has_name_of_compressed(), is_compressed, "{name}");
        }
    }
}
