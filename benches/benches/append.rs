//! How much of the disk's fdatasync rate reaches an appender, and what group commit makes of it.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mallard_benches::document::{Row, publish};
use mallard_benches::median;
use mallard_benches::stopwatch::{Stopwatch, rate};
use mallard_wal::disk::real;
use mallard_wal::{Committed, Config, Draft, Drive, Kind, Log, Lsn, Observer, Origin, SealedSegment};

const SECONDS: f64 = 1.5;
const ROUNDS: usize = 5;
const FRAME_BYTES: usize = 4096;
const FILE_BYTES: usize = 8 << 20;
const BODY: &[u8] = &[7; 220];

#[derive(Debug)]
struct Ignore;

impl Observer<()> for Ignore {
    fn committed(&self, _: Committed<()>) {}
    fn sealed(&self, _: SealedSegment) {}
    fn poisoned(&self, cause: &str) {
        panic!("the log is poisoned: {cause}");
    }
}

fn main() {
    let (mut disk, mut one, mut many) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        disk.push(fdatasync_rate());
        one.push(append_rate(1));
        many.push(append_rate(64));
    }
    let (disk, one, many) = (median(disk), median(one), median(many));
    let ceiling = format!("{disk:.0}/s fdatasync of 4 KiB into a zero-filled file");
    publish(
        "append",
        "Appends to the log",
        &[
            Row::new("1 appender", format!("{one:.0}/s"), ceiling.clone(), format!("{:.2}", one / disk), ">= 0.8"),
            Row::new("64 appenders", format!("{many:.0}/s"), ceiling, format!("{:.1}", many / disk), ">= 10"),
        ],
    );
}

fn fdatasync_rate() -> f64 {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
    let path = folder.path().join("ceiling");
    let file = OpenOptions::new().create_new(true).write(true).open(path).expect("a file");
    file.write_all_at(&vec![0; FILE_BYTES], 0).expect("zeros");
    file.sync_all().expect("a sync");
    let frame = vec![1; FRAME_BYTES];
    let mut at = 0;
    rate(SECONDS, || {
        file.write_all_at(&frame, at as u64).expect("a write");
        file.sync_data().expect("a sync");
        at = (at + FRAME_BYTES) % FILE_BYTES;
    })
}

#[expect(clippy::cast_precision_loss, reason = "a count of appends is far below 2^52")]
fn append_rate(appenders: usize) -> f64 {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
    let log = open(folder.path());
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        for _ in 0..appenders {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let draft = Draft::new(Kind::EVENT, 1, 0, 0, [0; 16], BODY).expect("a record");
                    log.append(draft, ()).expect("room in the queue").wait().expect("a durable record");
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while watch.seconds() < SECONDS {
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let rate = acknowledged.load(Ordering::Relaxed) as f64 / watch.seconds();
    log.close().expect("a clean close");
    rate
}

fn open(root: &std::path::Path) -> Log<()> {
    let env = real::env();
    for folder in ["wal", "quarantine"] {
        env.disk.create_dir(&root.join(folder)).expect("a folder");
    }
    let origin = Origin::new(1, Lsn::ZERO);
    mallard_wal::recover(&env, &root.join("wal"), &root.join("quarantine"), &Config::default(), origin, &mut |_| {})
        .expect("an empty log")
        .start(Arc::new(Ignore), Drive::Thread)
        .expect("a log")
}
