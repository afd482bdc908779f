//! A disk that does not answer: a file system of its own that is frozen, so that writes and syncs wait. Whoever waits for an
//! acknowledgement hears that its outcome is unknown, questions are answered, and a retry finds the event that was stored after
//! all. Needs root and loop devices; says so where they are missing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::Server;
use tempfile::TempDir;

const SITE: &str = "a.example";
const VOLUME_BYTES: u64 = 128 << 20;

/// A file system in a file, gone when dropped.
struct Volume {
    folder: TempDir,
    _image: TempDir,
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

impl Volume {
    /// `None` if this user may not mount.
    fn mount() -> Option<Self> {
        let (folder, image) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = image.path().join("image");
        File::create(&file).unwrap().set_len(VOLUME_BYTES).unwrap();
        let (file, at) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
        let is_made = succeeds("mkfs.ext4", &["-q", "-F", file]) && succeeds("mount", &["-o", "loop", file, at]);
        is_made.then(|| Self { folder, _image: image })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn freeze(&self, option: &str) -> bool {
        succeeds("fsfreeze", &[option, self.path().to_str().unwrap()])
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.freeze("-u");
        succeeds("umount", &["-l", self.path().to_str().unwrap()]);
    }
}

fn event(id: &str) -> Value {
    json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/{id}"), "id": id })
}

#[test]
fn an_event_whose_outcome_was_unknown_is_found_by_its_retry_and_counted_once() {
    let Some(volume) = Volume::mount() else {
        support::skip::skip("this user may not mount a file system");
        return;
    };
    let data_dir = volume.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    let server = Server::with_password(&data_dir, &[]);
    let session = server.log_in();
    assert_eq!(server.post_event(&event("first")).lsn(), Some(1));
    if !volume.freeze("-f") {
        support::skip::skip("the file system cannot be frozen");
        return;
    }
    let waiting = server.post_event(&event("second"));
    assert_eq!((waiting.status, waiting.lsn()), (503, None));
    assert_eq!(waiting.error(), "Outcome unknown. Retry with the same id.");
    assert!(waiting.header("retry-after").is_some());
    assert_eq!(session.pageviews(SITE), 1, "questions are answered, without what is not durable");
    assert_eq!(server.get("/health").text(), "ok");
    assert!(volume.freeze("-u"));

    let retry = server.post_event(&event("second"));
    assert_eq!((retry.status, retry.lsn(), retry.header("x-mallard-duplicate")), (202, Some(2), Some("1")));
    assert_eq!(session.pageviews(SITE), 2);
    assert_eq!(server.post_event(&event("third")).lsn(), Some(3), "and it goes on");
    server.kill();
    let server = Server::with_password(&data_dir, &[]);
    assert_eq!(server.log_in().pageviews(SITE), 3);
    server.kill();
}
