//! A volume that fills up, again and again, under the real binary: events are refused, nothing acknowledged is lost,
//! questions and compaction go on, and it resumes by itself. Needs to mount a tmpfs; says so where it may not.

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

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use mallard_engine::{Config, Engine, env};
use mallard_event::SiteId;
use serde_json::{Value, json};
use support::{Server, Session, until};
use tempfile::TempDir;

const ROUNDS: u64 = 20;
const SITE: &str = "a.example";
const VOLUME_MB: u64 = 64;
/// Compaction begins early, so that it runs while the volume is full.
const BUSY: [(&str, &str); 3] =
    [("MALLARD_DISK_RESERVE_MB", "16"), ("MALLARD_FLUSH_COUNT", "40"), ("MALLARD_FLUSH_INTERVAL", "1")];

/// A file system of its own, gone when dropped.
struct Volume(TempDir);

impl Volume {
    /// `None` if this user may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={VOLUME_MB}m");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        status.is_ok_and(|status| status.success()).then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all space but `left_mb`.
    fn fill(&self, left_mb: u64) {
        let volume = rustix::fs::statvfs(self.path()).unwrap();
        let free = volume.f_bavail * volume.f_frsize;
        let bytes = free.saturating_sub(left_mb << 20);
        match fs::write(self.path().join("filler"), vec![1; bytes as usize]) {
            // Maintenance may have taken some of it meanwhile.
            Err(error) if error.kind() == ErrorKind::StorageFull && left_mb == 0 => {}
            written => written.unwrap(),
        }
    }

    fn empty(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().unwrap();
    }
}

/// What was accepted: each event's id and its position.
type Accepted = BTreeMap<String, u64>;

/// Sends events until one is answered with `until`; every other answer must be `before`.
fn send_until(server: &Server, sent: &mut u64, until: u16, before: u16, accepted: &mut Accepted) {
    let mut client = server.connect();
    loop {
        *sent += 1;
        let id = format!("order-{sent}");
        let event = json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/{sent}"), "id": id });
        let answer = client.post_event(&event).unwrap();
        assert_eq!(answer.status == 202, answer.lsn().is_some());
        if let Some(lsn) = answer.lsn() {
            assert_eq!(accepted.insert(id, lsn), None);
        }
        if answer.status == 507 {
            assert_eq!(answer.header("retry-after"), Some("60"));
        }
        if answer.status == until {
            return;
        }
        assert_eq!(answer.status, before, "{}", answer.text());
    }
}

/// Exactly what was accepted is in a store without a server: nothing else, and each under its position.
fn check(data_dir: &Path, accepted: &Accepted) {
    let engine = Engine::open(Config::new(data_dir), env::real()).unwrap();
    let rows = engine.events(&SiteId::parse(SITE).unwrap()).unwrap();
    let mut stored = Accepted::new();
    for row in rows {
        let id = row.event.event_id.as_str().to_owned();
        assert_eq!(stored.insert(id.clone(), row.lsn.unwrap()), None, "{id} is stored twice");
    }
    let lost = accepted.iter().find(|(id, lsn)| stored.get(*id) != Some(lsn));
    let strange = stored.keys().find(|id| !accepted.contains_key(*id));
    assert_eq!((lost, strange), (None, None), "{} accepted, {} stored", accepted.len(), stored.len());
    engine.close().unwrap();
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::parse);
    value.unwrap_or_else(|| panic!("{name} is not in {text}")).unwrap()
}

/// What holds while the volume is full; whether events are refused at this moment. (Maintenance makes room, and then they
/// are not.)
fn check_full(server: &Server, session: &Session<'_>, accepted: u64) -> bool {
    assert_eq!(session.pageviews(SITE), accepted, "questions are answered, and count what was accepted");
    assert_eq!(server.get("/health/ready").status, 200);
    let health = session.json("/health/detailed");
    let reasons: Vec<&str> = health["degraded_reasons"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let is_refusing = health["ingest"] == "disk_reserve";
    assert!(is_refusing || health["ingest"] == "accepting", "{health}");
    assert_eq!(health["status"], if is_refusing { "degraded" } else { "ok" }, "{health}");
    let says_so = |reason: &&str| {
        reason.starts_with("disk reserve reached") || reason.starts_with("the log cannot begin a segment")
    };
    assert_eq!(reasons.iter().any(says_so), is_refusing, "{reasons:?}");
    is_refusing
}

/// All files below a folder, whoever is at work on it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(_) => found.push(entry.path()),
            Err(_) => {}
        }
    }
    found
}

/// As soon as there is room, and nothing to do: no file that the manifest does not name, and nothing half-made. What a failed attempt has left
/// is gone, or was written again under the same name.
fn check_no_leftovers(server: &Server, data_dir: &Path) {
    let mut seen = String::new();
    for _ in 0..20_000 {
        let live = metric(server, "mallard_parquet_files");
        let (parquet, half_made) = (files(&data_dir.join("events")), files(&data_dir.join("tmp")));
        if metric(server, "mallard_buffered_events") == 0 && parquet.len() as u64 == live && half_made.is_empty() {
            return;
        }
        seen = format!("{live} files are live; there are {parquet:?} and {half_made:?}");
    }
    panic!("what is not needed piles up: {seen}");
}

#[test]
fn a_full_disk_refuses_events_loses_none_and_resumes_by_itself() {
    let Some(volume) = Volume::mount() else {
        support::skip::skip("this user may not mount a tmpfs");
        return;
    };
    let data_dir = volume.path().join("data");
    let server = Server::with_password(&data_dir, &BUSY);
    let session = server.log_in();
    let (mut sent, mut accepted) = (0, Accepted::new());
    let (mut rounds_refusing, mut compacted_while_full, mut failures) = (0, 0, 0);
    for round in 0..ROUNDS {
        // Every fourth time nothing at all is left, and maintenance itself fails.
        let is_brimful = round % 4 == 3;
        volume.fill(if is_brimful { 0 } else { 10 });
        send_until(&server, &mut sent, 507, 202, &mut accepted);
        rounds_refusing += u64::from(check_full(&server, &session, accepted.len() as u64));
        let failures_before = failures;
        while metric(&server, "mallard_buffered_events") > 0 && failures == failures_before {
            failures = metric(&server, "mallard_flush_failures_total");
        }
        compacted_while_full += u64::from(failures == failures_before);
        assert!(is_brimful || failures == failures_before, "the reserve is room enough for a compaction");
        check_full(&server, &session, accepted.len() as u64);
        volume.empty();
        send_until(&server, &mut sent, 202, 507, &mut accepted);
        check_no_leftovers(&server, &data_dir);
    }
    assert!(rounds_refusing > ROUNDS / 4, "health says so while events are refused: {rounds_refusing} rounds");
    assert_eq!(metric(&server, "mallard_wal_poisoned"), 0);
    let count = accepted.len() as u64;
    assert_eq!(metric(&server, "mallard_events_ingested_total"), count);
    assert_eq!(session.pageviews(SITE), count);
    drop(session);
    server.kill();

    let server = Server::with_password(&data_dir, &BUSY);
    assert_eq!(server.log_in().pageviews(SITE), count);
    server.kill();
    check(&data_dir, &accepted);
    println!(
        "{ROUNDS} rounds, {sent} events sent, {count} accepted and there; compaction went on in {compacted_while_full} \
         rounds, {failures} of its attempts found no room"
    );
}

/// Leaves a store that is not open without any room. What was prepared for a segment that has not begun goes at a start, which
/// would have that.
fn take_the_rest(volume: &Volume, data_dir: &Path) {
    for path in fs::read_dir(data_dir.join("wal")).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "new") {
            fs::remove_file(path).unwrap();
        }
    }
    let rest = tempfile::Builder::new().prefix("rest").tempfile_in(volume.path()).unwrap();
    let (mut rest, _) = rest.keep().unwrap();
    rest.write_all(&vec![1; free(volume) as usize]).unwrap();
    assert_eq!(free(volume), 0);
}

/// A kill on a volume that is full to the last byte.
#[test]
fn a_server_starts_on_a_full_volume_with_the_room_of_the_ballast_and_says_so_when_there_is_none() {
    let Some(volume) = Volume::mount() else {
        support::skip::skip("this user may not mount a tmpfs");
        return;
    };
    let data_dir = volume.path().join("data");
    let reserve = [("MALLARD_DISK_RESERVE_MB", "16")];
    let server = Server::with_password(&data_dir, &reserve);
    let mut sent = 0;
    for _ in 0..50 {
        sent += 1;
        let event = json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/{sent}") });
        assert_eq!(server.post_event(&event).status, 202);
    }
    let ballast = data_dir.join("ballast");
    until("there is ballast again", || fs::metadata(&ballast).map_or(0, |file| file.len()) >= 4 << 20);
    volume.fill(0);
    server.kill();
    take_the_rest(&volume, &data_dir);

    let server = Server::with_password(&data_dir, &reserve);
    let session = server.log_in();
    assert_eq!(session.pageviews(SITE), 50, "questions are answered");
    assert!(!ballast.exists(), "it was given up");
    assert_eq!(server.get("/health/ready").status, 200);
    let event = json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/") });
    assert_eq!(server.post_event(&event).status, 507);
    drop(session);
    server.kill();

    take_the_rest(&volume, &data_dir);
    let output = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"))
        .env_clear()
        .envs([("MALLARD_HOST", "127.0.0.1"), ("MALLARD_PORT", "0"), ("MALLARD_ADMIN_PASSWORD", "correct horse")])
        .env("MALLARD_DATA_DIR", &data_dir)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(71), "a supervisor tries it again: {said}");
    assert!(said.contains("no space is left on the volume of the data directory"), "{said}");

    volume.empty();
    let server = Server::with_password(&data_dir, &reserve);
    let session = server.log_in();
    assert_eq!(session.pageviews(SITE), 50);
    sent = 0;
    let mut accepted = Accepted::new();
    send_until(&server, &mut sent, 202, 507, &mut accepted);
    assert_eq!(session.pageviews(SITE), 50 + accepted.len() as u64);
}

/// Bytes free on the volume.
fn free(volume: &Volume) -> u64 {
    let volume = rustix::fs::statvfs(volume.path()).unwrap();
    volume.f_bavail * volume.f_frsize
}

/// Texts that do not compress.
fn noise() -> impl FnMut() -> String {
    let mut seed = 1_u64;
    move || {
        let mut digit = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + (seed >> 33) as u8 % 75)
        };
        (0..1800).map(|_| digit()).collect()
    }
}

#[test]
fn on_a_full_disk_retention_still_works_and_makes_room() {
    let Some(volume) = Volume::mount() else {
        support::skip::skip("this user may not mount a tmpfs");
        return;
    };
    let data_dir = volume.path().join("data");
    let settings = [("MALLARD_DISK_RESERVE_MB", "16"), ("MALLARD_FLUSH_INTERVAL", "1")];
    let server = Server::with_password(&data_dir, &settings);
    let key = server.log_in().create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let mut text = noise();
    for _ in 0..8 {
        let mut old = || {
            json!({ "d": SITE, "n": "pageview", "u": "/old", "p": { "text": text() },
                    "timestamp": now_ms - 40 * 86_400_000 })
        };
        server.post_batch(&key, &json!((0..250).map(|_| old()).collect::<Vec<_>>()));
    }
    assert_eq!(server.post_event(&json!({ "d": SITE, "n": "pageview", "u": "/" })).status, 202);
    let ballast = data_dir.join("ballast");
    while metric(&server, "mallard_buffered_events") > 0 {}
    while fs::metadata(&ballast).map_or(0, |file| file.len()) < 4 << 20 {}
    volume.fill(0);
    server.kill();
    take_the_rest(&volume, &data_dir);

    let server = Server::with_password(&data_dir, &[&settings[..], &[("MALLARD_RETENTION_DAYS", "30")]].concat());
    let full = free(&volume);
    while metric(&server, "mallard_events_expired_total") < 2000 {}
    assert_eq!(server.log_in().pageviews(SITE), 1);
    let parquet = data_dir.join("events");
    while files(&parquet).len() > 1 {}
    assert!(free(&volume) > full + (1 << 20), "{} bytes were free and {} are", full, free(&volume));
    assert_eq!(metric(&server, "mallard_wal_poisoned"), 0);
}

#[test]
fn on_a_full_disk_an_erasure_still_works_and_makes_room() {
    let Some(volume) = Volume::mount() else {
        support::skip::skip("this user may not mount a tmpfs");
        return;
    };
    let data_dir = volume.path().join("data");
    let server = Server::with_password(
        &data_dir,
        &[("MALLARD_DISK_RESERVE_MB", "16"), ("MALLARD_FLUSH_COUNT", "500"), ("MALLARD_FLUSH_INTERVAL", "1")],
    );
    let session = server.log_in();
    let mut text = noise();
    for number in 0..2000 {
        let event = json!({ "d": SITE, "n": "pageview", "u": "/quince", "p": { "text": text() } });
        assert_eq!(server.post_event(&event).status, 202);
        if number % 100 == 0 {
            assert_eq!(server.post_event(&json!({ "d": "b.example", "n": "pageview", "u": "/" })).status, 202);
        }
    }
    until("everything is compacted", || metric(&server, "mallard_buffered_events") == 0);
    volume.fill(0);
    let full = free(&volume);
    let range = "start_date=2025-01-01&end_date=2034-12-31";
    let path = format!("/api/gdpr/erase?site_id={SITE}&{range}");
    // What finds no room at all says so, and is tried again with the ballast's.
    let mut answer = session.delete(&path, Some("http://localhost"));
    let mut attempts = 1;
    while answer.status == 500 {
        attempts += 1;
        assert!(answer.text().contains("\"status\":\"incomplete\""), "{}", answer.text());
        answer = session.delete(&path, Some("http://localhost"));
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((session.pageviews(SITE), session.pageviews("b.example")), (0, 20));
    assert_eq!(metric(&server, "mallard_events_erased_total"), 2000);
    assert!(free(&volume) > full + (1 << 20), "{} bytes were free and {} are", full, free(&volume));
    assert_eq!(metric(&server, "mallard_wal_poisoned"), 0);
    println!("{attempts} attempts, {} MB free, {} MB before", free(&volume) >> 20, full >> 20);
}
