//! Copies of a whole store: snapshots beside it, backups elsewhere, and the way back.
//!
//! ```text
//! image.rs      a consistent moment of a store, by hard links, beside a running server or without one
//! snapshot.rs   snapshots/<id>: images that are kept; list, remove, prune
//! archive.rs    an image, file by file, into something that takes files
//! restore.rs    files into an empty folder, verified, as a store of its own
//! ```
//! An image is a data directory: it opens like the store after a crash at that moment. Every event that was acknowledged
//! before it was begun is in it. Nothing here asks the server for anything: an image is taken from the files alone, by the
//! rules that make a crash harmless (files never change, the manifest names them, the log ends anywhere).
//!
//! Documents that a copy must not outlive their day, such as the salt, are named by the caller and left out.

mod archive;
mod image;
mod restore;
mod rewrite;
mod snapshot;

pub use archive::{Archive, backup};
pub use image::Image;
pub(crate) use image::remove_tree;
pub use restore::{Restore, Restored};
pub(crate) use rewrite::Rewriting;
pub use snapshot::{Snapshot, Snapshots};
