//! [`Machine`]: the tree of folders, and the calls that change names in it.

use std::io;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use super::fate::{CrashMode, Fate};
use super::fault::Faults;
use super::folder::{Change, Folder, Node};
use super::handle::SimLock;
use super::inode::{Inode, Space};
use super::{SimRng, hold};
use crate::disk::{Entry, Lock};

/// What a new machine's volume holds: enough for every simulation, and a limit on every mistake.
const CAPACITY_BYTES: u64 = 4 << 30;

/// Everything behind a [`SimDisk`](super::SimDisk).
pub(super) struct Machine {
    root: Arc<Mutex<Folder>>,
    pub(super) space: Arc<Space>,
    pub(super) faults: Faults,
    /// Decides what a failed call leaves behind.
    pub(super) rng: SimRng,
    /// How often the machine was started: handles of an earlier life are dead.
    pub(super) life: u64,
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            root: Arc::default(),
            space: Space::new(CAPACITY_BYTES),
            faults: Faults::default(),
            rng: SimRng::new(seed),
            life: 0,
        }
    }

    pub(super) fn crash(&mut self, mode: CrashMode, rng: &mut SimRng) {
        hold(&self.root).crash(&mut Fate::new(mode, rng));
        self.faults.clear();
        self.life += 1;
    }

    pub(super) fn node(&self, path: &Path) -> io::Result<Node> {
        let mut node = Node::Folder(self.root.clone());
        for component in path.components() {
            if let Some(name) = plain(component)? {
                let folder = node.into_folder()?;
                node = hold(&folder).get(name)?;
            }
        }
        Ok(node)
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<Arc<Mutex<Inode>>> {
        self.node(path)?.into_file()
    }

    pub(super) fn folder(&self, path: &Path) -> io::Result<Arc<Mutex<Folder>>> {
        self.node(path)?.into_folder()
    }

    /// The folder that holds, or would hold, the name of `path`.
    fn place<'a>(&self, path: &'a Path) -> io::Result<(Arc<Mutex<Folder>>, &'a str)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(Errno::INVAL)?;
        Ok((self.folder(path.parent().unwrap_or(path))?, name))
    }

    pub(super) fn create(&self, path: &Path) -> io::Result<Arc<Mutex<Inode>>> {
        let (folder, name) = self.place(path)?;
        let mut folder = hold(&folder);
        if folder.contains(name) {
            return Err(Errno::EXIST.into());
        }
        let inode = Arc::new(Mutex::new(Inode::new(self.space.clone())));
        folder.change(Change::Add(name.to_owned(), Node::File(inode.clone())));
        Ok(inode)
    }

    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.place(path)?;
        let mut parent = hold(&parent);
        match parent.get(name) {
            Ok(Node::Folder(_)) => {}
            Ok(Node::File(_)) => return Err(Errno::EXIST.into()),
            Err(_) => parent.change(Change::Add(name.to_owned(), Node::Folder(Arc::default()))),
        }
        Ok(())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (source, from) = self.place(from)?;
        let (target, to) = self.place(to)?;
        let node = hold(&source).get(from)?;
        match (&node, hold(&target).get(to)) {
            (Node::File(inode), Ok(replaced)) if Arc::ptr_eq(inode, &replaced.clone().into_file()?) => {
                return Ok(()); // POSIX: two names of one file stay as they are.
            }
            // An empty folder could be replaced; nobody here does.
            (Node::Folder(_), Ok(_)) => return Err(Errno::NOTEMPTY.into()),
            _ => {}
        }
        let (from, to) = (from.to_owned(), to.to_owned());
        if Arc::ptr_eq(&source, &target) {
            hold(&source).change(Change::Rename { from, to, node });
        } else {
            hold(&target).change(Change::Add(to, node));
            hold(&source).change(Change::Remove(from));
        }
        Ok(())
    }

    pub(super) fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let Node::File(inode) = self.node(from)? else {
            return Err(Errno::PERM.into());
        };
        let (folder, name) = self.place(to)?;
        let mut folder = hold(&folder);
        if folder.contains(name) {
            return Err(Errno::EXIST.into());
        }
        folder.change(Change::Add(name.to_owned(), Node::File(inode)));
        Ok(())
    }

    pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        let mut folder = hold(&folder);
        folder.get(name)?.into_file()?;
        folder.change(Change::Remove(name.to_owned()));
        Ok(())
    }

    pub(super) fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.place(path)?;
        let mut parent = hold(&parent);
        let folder = parent.get(name)?.into_folder()?;
        if !hold(&folder).is_empty() {
            return Err(Errno::NOTEMPTY.into());
        }
        parent.change(Change::Remove(name.to_owned()));
        Ok(())
    }

    pub(super) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        hold(&*self.folder(path)?).sync();
        Ok(())
    }

    pub(super) fn fail_sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let folder = self.folder(path)?;
        hold(&folder).fail_sync(&mut Fate::new(CrashMode::Random, &mut self.rng));
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let folder = self.folder(path)?;
        let folder = hold(&folder);
        if folder.is_broken { Err(Errno::IO.into()) } else { Ok(folder.entries()) }
    }

    /// Takes the lock on a file, creating it if it is not there.
    pub(super) fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let inode = match self.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(path)?,
            result => result?,
        };
        let guard = hold(&inode).lock().ok_or(Errno::WOULDBLOCK)?;
        Ok(Box::new(SimLock::new(guard)))
    }
}

/// The name that a path component stands for; none for `/` and `.`.
fn plain(component: Component<'_>) -> io::Result<Option<&str>> {
    match component {
        Component::Normal(name) => Ok(Some(name.to_str().ok_or(Errno::INVAL)?)),
        Component::RootDir | Component::CurDir => Ok(None),
        Component::ParentDir | Component::Prefix(_) => Err(Errno::INVAL.into()),
    }
}
