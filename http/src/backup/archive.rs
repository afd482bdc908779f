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
    Tar(Tar<BufWriter<File>>),
    Stream(Tar<io::Stdout>),
}

impl Writing {
    pub(super) fn begin(place: &Place) -> io::Result<Self> {
        Ok(match place {
            Place::Folder(path) => Self::Folder(Folder::begin(path)?),
            Place::TarFile(path) => Self::Tar(Tar(tar::Builder::new(BufWriter::new(create(path)?)))),
            Place::Stream => Self::Stream(Tar(tar::Builder::new(io::stdout()))),
        })
    }

    pub(super) fn archive(&mut self) -> &mut dyn Archive {
        match self {
            Self::Folder(folder) => folder,
            Self::Tar(tar) => tar,
            Self::Stream(tar) => tar,
        }
    }

    /// Everything is where it should be, and durable if it is on a disk.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Folder(folder) => folder.finish(),
            Self::Tar(Tar(tar)) => tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all(),
            Self::Stream(Tar(tar)) => tar.into_inner()?.flush(),
        }
    }
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
        self.folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())
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
    }
}
