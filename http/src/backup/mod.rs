//! Copies of a store from the command line and over HTTP: `snapshot`, `backup`, `restore`, `/api/store/snapshots`, and the
//! schedule.
//!
//! ```text
//! command.rs    the three commands, with their progress and what they print
//! archive.rs    where a backup goes to and comes from: a folder, a tar file, a stream
//! api.rs        snapshots of a running server: on demand, and every so many hours
//! ```
//! All of them work beside a running server and without one; how a consistent moment is found is `mallard_engine`'s.

pub(crate) mod api;
mod archive;
pub(crate) mod command;

/// Documents that no copy has: the salt of the day must be gone when the day is, and sessions are those of browsers that
/// talk to this server.
pub(crate) const WITHOUT: [&str; 2] = ["salt", "sessions"];
