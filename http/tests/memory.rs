//! The real binary in a memory cgroup of 200 MiB, under load and with every report asked all the time: it is never killed.
//! Needs to make a cgroup; says so where it may not.

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

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use support::Server;
use support::load::{Books, Load};

const LIMIT_BYTES: u64 = 200 << 20;
const EVENTS: usize = 30_000;
/// The file of a limit of each version of cgroups, and where its groups are.
const VERSIONS: [(&str, &str, &str); 3] = [
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
    ("/sys/fs/cgroup/unified", "memory.max", "memory.peak"),
    ("/sys/fs/cgroup", "memory.max", "memory.peak"),
];
const BUSY: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "2000"), ("MALLARD_MAX_CONCURRENT_QUERIES", "0")];

/// A cgroup of its own, gone when dropped.
struct Group {
    folder: PathBuf,
    peak: &'static str,
}

impl Group {
    /// `None` if this user may not make one.
    fn make() -> Option<Self> {
        VERSIONS.iter().find_map(|(root, limit, peak)| {
            let group = Self { folder: Path::new(root).join(format!("mallard-test-{}", std::process::id())), peak };
            let is_made = Path::new(root).join("cgroup.procs").exists() && fs::create_dir(&group.folder).is_ok();
            let is_limited = is_made && fs::write(group.folder.join(limit), LIMIT_BYTES.to_string()).is_ok();
            is_limited.then_some(group)
        })
    }

    fn peak_mb(&self) -> Option<u64> {
        let text = fs::read_to_string(self.folder.join(self.peak)).ok()?;
        Some(text.trim().parse::<u64>().ok()? >> 20)
    }

    /// How often the kernel has killed in it.
    fn kills(&self) -> u64 {
        let texts = ["memory.oom_control", "memory.events"].map(|file| fs::read_to_string(self.folder.join(file)));
        let lines = texts.into_iter().flatten().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        lines.filter_map(|line| line.strip_prefix("oom_kill ")?.parse::<u64>().ok()).sum()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(&self.folder).ok();
    }
}

#[test]
fn in_200_mib_the_server_takes_events_and_answers_questions_and_is_not_killed() {
    let Some(group) = Group::make() else {
        support::skip::skip("this user may not make a memory cgroup");
        return;
    };
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::in_cgroup(&group.folder, data_dir.path(), &BUSY);
    let session = server.log_in();
    let load = Load::start(server.address(), 0);
    let waiting = thread::spawn(move || {
        load.wait_for(EVENTS);
        load
    });
    let mut answers = 0;
    while !waiting.is_finished() {
        for report in ["main", "timeseries", "breakdown/pages", "breakdown/sources"] {
            let answer = session.get(&format!("/api/stats/{report}?site_id=client-1.example&period=7d"));
            assert_eq!(answer.status, 200, "{report}: {}", answer.text());
            answers += 1;
        }
    }
    let load = waiting.join().unwrap();
    let counted = || {
        let main = session.json("/api/stats/main?site_id=client-1.example&period=7d");
        main["total_pageviews"].as_u64().unwrap() + main["events"].as_u64().unwrap()
    };
    let before = counted();
    let export = session.get("/api/stats/export?site_id=client-1.example&kind=events&format=json&period=7d");
    let rows = export.text().lines().count() as u64;
    assert_eq!(export.status, 200, "{}", export.text());
    assert!(before > 0 && (before..=counted()).contains(&rows), "{before} events, {rows} rows exported, {}", counted());
    let peak_mb = group.peak_mb();
    assert_eq!(group.kills(), 0, "the kernel has killed it");
    drop(session);
    server.kill();
    let mut books = Books::default();
    load.settle(&mut books);
    let counts = books.check(data_dir.path());
    assert!(counts.acknowledged >= EVENTS);
    println!("{counts:?}, {answers} answers, peak {peak_mb:?} MB of {} MB, page cache included", LIMIT_BYTES >> 20);
}
