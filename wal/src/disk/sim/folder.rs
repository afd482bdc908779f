//! [`Folder`]: the names in one simulated folder, as programs see them and as the disk holds them.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use super::fate::Fate;
use super::hold;
use super::inode::Inode;
use crate::disk::Entry;

/// What a name stands for. Links share the node.
#[derive(Clone)]
pub(super) enum Node {
    File(Arc<Mutex<Inode>>),
    Folder(Arc<Mutex<Folder>>),
}

impl Node {
    pub(super) fn into_file(self) -> io::Result<Arc<Mutex<Inode>>> {
        match self {
            Self::File(inode) => Ok(inode),
            Self::Folder(_) => Err(Errno::ISDIR.into()),
        }
    }

    pub(super) fn into_folder(self) -> io::Result<Arc<Mutex<Folder>>> {
        match self {
            Self::Folder(folder) => Ok(folder),
            Self::File(_) => Err(Errno::NOTDIR.into()),
        }
    }
}

type Names = BTreeMap<String, Node>;

/// One change of the names in a folder: durable as a whole or not at all.
pub(super) enum Change {
    Add(String, Node),
    Remove(String),
    Rename { from: String, to: String, node: Node },
}

impl Change {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Add(name, node) => drop(names.insert(name.clone(), node.clone())),
            Self::Remove(name) => drop(names.remove(name)),
            Self::Rename { from, to, node } => {
                names.remove(from);
                names.insert(to.clone(), node.clone());
            }
        }
    }
}

/// The names in one folder.
#[derive(Default)]
pub(super) struct Folder {
    /// What programs see.
    names: Names,
    /// What the disk holds.
    durable: Names,
    /// The changes since the last sync, oldest first.
    unsynced: Vec<Change>,
    /// Whether the names cannot be listed.
    pub(super) is_broken: bool,
}

impl Folder {
    pub(super) fn get(&self, name: &str) -> io::Result<Node> {
        self.names.get(name).cloned().ok_or_else(|| Errno::NOENT.into())
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in mem::take(&mut self.unsynced) {
            change.apply(&mut self.durable);
        }
    }

    /// Some changes reach the disk, the others never will, and nobody will be told again.
    pub(super) fn fail_sync(&mut self, fate: &mut Fate<'_>) {
        fate.turn();
        for change in mem::take(&mut self.unsynced) {
            if fate.keeps() {
                change.apply(&mut self.durable);
            }
        }
    }

    /// The power was cut: everything below this folder becomes what the disk holds.
    ///
    /// NOTE: a file with two names is met twice. The second time nothing of it is unsynced, so nothing changes.
    pub(super) fn crash(&mut self, fate: &mut Fate<'_>) {
        self.fail_sync(fate);
        self.names = self.durable.clone();
        for node in self.names.values() {
            match node {
                Node::File(inode) => hold(inode).crash(fate),
                Node::Folder(folder) => hold(folder).crash(fate),
            }
        }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        let entry = |(name, node): (&String, &Node)| match node {
            Node::File(inode) => Entry { name: name.clone(), bytes: hold(inode).len(), is_dir: false },
            Node::Folder(_) => Entry { name: name.clone(), bytes: 0, is_dir: true },
        };
        self.names.iter().map(entry).collect()
    }
}
