//! Writes the seeds below `corpus/`: `cargo run --release --example seeds`. The same ones every time; what a fuzzer has
//! found beside them stays.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use mallard_compactor::{Edit, Erasure, FileEntry, LsnRange, Reach, layout};
use mallard_event::{Date, SiteId, Subject};
use mallard_fuzz::{forge, store};
use mallard_wal::{Draft, Kind, Lsn};

fn main() -> io::Result<()> {
    records()?;
    segments()?;
    recoveries()?;
    forged()?;
    manifests()?;
    events()
}

fn seed(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target).join(name), bytes)
}

fn fixture(path: &str) -> io::Result<Vec<u8>> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path))
}

fn records() -> io::Result<()> {
    let record = |body: &[u8]| {
        let mut bytes = Vec::new();
        let draft = Draft::new(Kind::EVENT, 1, 0, 1_700_000_000_000_000, *b"0123456789abcdef", body);
        draft.expect("bodies are short").finish_into(store(), Lsn::new(41), &mut bytes);
        bytes
    };
    seed("record", "empty", &record(b""))?;
    seed("record", "event", &record(&fixture("event/tests/fixtures/v1/minimal.body")?))?;
    // A record of 16 bytes becomes the gap of LSN 41 to 50.
    let mut gap = record(&[41_u64, 50].map(u64::to_le_bytes).concat());
    gap[4] = Kind::GAP.0;
    forge::end_in(&mut gap, forge::tagged);
    seed("record", "gap", &gap)
}

/// Steps of the target `segment`.
fn segments() -> io::Result<()> {
    let (mark, seal, damage) = ([5], [6], [7]);
    let commit = |count: u8, size: u16| [&[0, count - 1][..], &size.to_le_bytes()].concat();
    let four = [commit(1, 10), commit(3, 300), mark.to_vec(), commit(2, 1500), commit(1, 0)].concat();
    let strike = |kind: &[u8], at: u16| [kind, &[0], &at.to_le_bytes()].concat();
    seed("segment", "open", &four)?;
    seed("segment", "sealed", &[&four[..], &seal].concat())?;
    for (name, strike) in [
        ("flip-body", strike(&[0, 4], 4096 + 120)),
        ("flip-frame", strike(&[0, 4], 4096 + 20)),
        ("zero", strike(&[2], 4608)),
        ("noise", strike(&[3, 9], 5120)),
        ("astray", strike(&[4, 0, 10], 4096)),
        ("cut", strike(&[5], 6000)),
    ] {
        seed("segment", &format!("open-{name}"), &[&four[..], &damage, &strike].concat())?;
        seed("segment", &format!("sealed-{name}"), &[&four[..], &seal, &strike].concat())?;
    }
    Ok(())
}

/// Steps of the target `recovery`.
fn recoveries() -> io::Result<()> {
    let commit = |count: u8, size: u16| [vec![0, count - 1], size.to_le_bytes().repeat(count.into())].concat();
    let group = |count: u8, size: u16| [vec![4, count - 1], size.to_le_bytes().repeat(count.into())].concat();
    let (idle, seal, trim, close, kill, end) = ([7], [8], [9], [10], [11], [15]);
    let first = [&commit(1, 10)[..], &group(3, 100), &idle, &commit(4, 1500), &commit(2, 2500), &seal].concat();
    let second = [&first[..], &commit(2, 50), &kill, &commit(1, 700), &trim, &close, &group(4, 1800), &seal].concat();
    let whole = [&second[..], &trim, &commit(1, 0)].concat();
    seed("recovery", "lives", &whole)?;
    for call in [2, 9, 17, 30] {
        let cut = [&first[..], &[13, call], &second].concat();
        seed("recovery", &format!("power-cut-{call}"), &cut)?;
        seed("recovery", &format!("failed-call-{call}"), &[&first[..], &[14, 0, call], &second].concat())?;
        seed("recovery", &format!("full-disk-{call}"), &[&first[..], &[14, 1, call], &second].concat())?;
    }
    // Left in the queue, then a power cut.
    seed("recovery", "queued", &[&first[..], &[6, 100, 0, 6, 50, 2, 12, 7], &second].concat())?;
    for (name, strike) in [
        ("flip", vec![0, 64, 0, 0x78, 0x10]),
        ("header", vec![0, 1, 0, 0x20, 0, 0, 1, 0, 0x1e, 0x10]),
        ("zero", vec![2, 0, 0, 0x12]),
        ("noise", vec![3, 7, 1, 0, 0x11]),
        ("astray", vec![4, 0, 12, 0, 0, 0x10]),
        ("cut", vec![5, 0, 0, 0x18]),
        ("unreadable", vec![6, 0, 0, 0x11]),
        ("missing", vec![7, 0, 0, 0]),
        ("twice", vec![6, 1, 0, 0x10, 0, 8, 0, 0x58, 0x12]),
    ] {
        seed("recovery", &format!("damage-{name}"), &[&first[..], &commit(3, 40), &end, &strike].concat())?;
    }
    Ok(())
}

/// Golden segments, all checksums made right.
fn forged() -> io::Result<()> {
    for name in ["open", "sealed", "rebuilt"] {
        let segment = fixture(&format!("wal/tests/fixtures/v1/{name}.wal"))?;
        seed("forge", name, &[&[0x3f], &segment[..]].concat())?;
    }
    Ok(())
}

fn manifests() -> io::Result<()> {
    let (first, second) = (file("a", 20_000, 0, 1, 10), file("a", 20_000, 0, 11, 20));
    let compacted = Edit { add: vec![first.clone(), second.clone()], checkpoint: Some(Lsn::new(25)), ..Edit::default() };
    let compacted = Edit { gaps: vec![lsns(21, 22)], quarantined: vec![lsns(23, 25)], ..compacted };
    let merged = Edit {
        add: vec![file("a", 20_000, 1, 1, 20)],
        remove: [first, second].map(|file| file.path.to_string()).to_vec(),
        ..Edit::default()
    };
    let (compacted, merged) = (compacted.encode(), merged.encode());
    let operand = |bytes: &[u8]| [&u16::try_from(bytes.len()).expect("edits are short").to_le_bytes(), bytes].concat();
    seed("edit", "compacted-merged", &[&operand(&compacted)[..], &merged].concat())?;
    let golden = fixture("compactor/tests/fixtures/v5/edit.bin")?;
    seed("edit", "golden", &[&operand(&fixture("compactor/tests/fixtures/v5/empty_edit.bin")?)[..], &golden].concat())?;

    let (site, span) = (SiteId::parse("a").expect("it is valid"), (0, 86_400_000_000));
    for (name, reach) in [("position", Reach::Lsn), ("time", Reach::Received)] {
        let subject = (reach == Reach::Lsn).then_some(Subject::Visitor([7; 16]));
        let (site, (start_us, end_us)) = (site.clone(), span);
        let erasure =
            Erasure { id: [1; 16], store: 2, lsn: Lsn::new(30), at_us: 3, site, start_us, end_us, subject, reach };
        seed("erasure", name, &erasure.encode())?;
    }

    let record = |step: u8, flags: u8, bytes: &[u8]| [&[step, flags, 0][..], &operand(bytes)].concat();
    let (mark, empty) = ([7], record(0, 0, &Edit::default().encode()));
    let edits = [&empty[..], &record(2, 0, &compacted), &mark, &record(2, 0, &merged), &mark].concat();
    seed("manifest", "edits", &edits)?;
    seed("manifest", "checkpoint", &record(0, 0, &compacted))?;
    let (head, tail) = merged.split_at(40);
    seed("manifest", "parts", &[record(0, 0, &compacted), record(2, 1, head), record(2, 0, tail)].concat())
}

/// A full file: as many rows as LSNs.
fn file(site: &str, day: i32, level: u8, first: u64, last: u64) -> FileEntry {
    let (site, date) = (SiteId::parse(site).expect("it is valid"), Date::from_days(day).expect("it is valid"));
    let path = format!("{}/{level}-{first:020}-{last:020}.parquet", layout::partition_folder(&site, date));
    FileEntry {
        site,
        date,
        level,
        schema_version: 1,
        lsns: lsns(first, last),
        rows: last - first + 1,
        bytes: 1000,
        column_bytes: 77,
        min_timestamp: date.start(),
        max_timestamp: date.start(),
        crc32: 0xdead_beef,
        path: Arc::from(path),
    }
}

fn lsns(first: u64, last: u64) -> LsnRange {
    LsnRange::new(Lsn::new(first), Lsn::new(last))
}

fn events() -> io::Result<()> {
    for name in ["minimal", "full"] {
        seed("event", name, &fixture(&format!("event/tests/fixtures/v1/{name}.body"))?)?;
    }
    seed("payload", "query", b"d=example.com&u=https://example.com/shop?utm_source=a&n=buy&r=https://a.b/&w=390&id=1")
}
