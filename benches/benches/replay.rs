//! How fast the log is read back, beside what the memory and the checksum allow.

use std::sync::Arc;

use mallard_benches::document::{Row, publish};
use mallard_benches::median;
use mallard_benches::stopwatch::{Stopwatch, rate};
use mallard_wal::disk::real;
use mallard_wal::{Committed, Config, Draft, Drive, Kind, Lsn, Observer, Origin, SealedSegment};

const RECORDS: usize = 200_000;
const BATCH: usize = 1_000;
const BODY: &[u8] = &[7; 220];
const ROUNDS: usize = 5;

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
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
    let bytes = fill(folder.path());
    let (mut replays, mut copies, mut checksums) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        replays.push(replay_rate(folder.path(), bytes));
        let source = vec![3_u8; 8 << 20];
        let mut target = vec![0_u8; source.len()];
        copies.push(
            gigabytes(source.len())
                * rate(0.3, || {
                    target.copy_from_slice(std::hint::black_box(&source));
                    std::hint::black_box(&mut target);
                }),
        );
        checksums.push(
            gigabytes(source.len())
                * rate(0.3, || {
                    std::hint::black_box(crc32fast::hash(std::hint::black_box(&source)));
                }),
        );
    }
    let (replay, copy, checksum) = (median(replays), median(copies), median(checksums));
    let figure = format!("{replay:.2} GB/s");
    publish(
        "replay",
        "Replay of the log",
        &[
            Row::new("replay", figure.clone(), "-".into(), format!("{replay:.2} GB/s"), ">= 0.5 GB/s"),
            Row::new("replay", figure.clone(), format!("{copy:.1} GB/s memcpy"), format!("{:.2}", replay / copy), "-"),
            Row::new("replay", figure, format!("{checksum:.1} GB/s crc32"), format!("{:.2}", replay / checksum), "-"),
        ],
    );
}

#[expect(clippy::cast_precision_loss, reason = "a length in memory is far below 2^52")]
fn gigabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e9
}

/// Writes the log; its length in bytes.
fn fill(root: &std::path::Path) -> usize {
    let env = real::env();
    for folder in ["wal", "quarantine"] {
        env.disk.create_dir(&root.join(folder)).expect("a folder");
    }
    let log = recovery(root, &mut |_| {}).start(Arc::new(Ignore), Drive::Thread).expect("a log");
    for _ in 0..RECORDS / BATCH {
        let batch =
            (0..BATCH).map(|_| (Draft::new(Kind::EVENT, 1, 0, 0, [0; 16], BODY).expect("a record"), ())).collect();
        log.append_all(batch).expect("room in the queue").wait().expect("durable records");
    }
    log.close().expect("a clean close");
    let files = env.disk.list(&root.join("wal")).expect("the segments");
    usize::try_from(files.iter().map(|file| file.bytes).sum::<u64>()).expect("a length that fits")
}

fn recovery(root: &std::path::Path, on_record: &mut dyn FnMut(mallard_wal::Record<'_>)) -> mallard_wal::Recovery {
    let origin = Origin::new(1, Lsn::ZERO);
    mallard_wal::recover(
        &real::env(),
        &root.join("wal"),
        &root.join("quarantine"),
        &Config::default(),
        origin,
        on_record,
    )
    .expect("a readable log")
}

fn replay_rate(root: &std::path::Path, bytes: usize) -> f64 {
    let (watch, mut records) = (Stopwatch::start(), 0);
    let recovery = recovery(root, &mut |record| {
        std::hint::black_box(record.body);
        records += 1;
    });
    let seconds = watch.seconds();
    drop(recovery);
    assert_eq!(records, RECORDS, "a benchmark that reads too little measures nothing");
    gigabytes(bytes) / seconds
}
