//! A log that a newer program has written in: a start refuses it and leaves it as it is, so that the newer one finds
//! everything. Nothing that this program cannot read is ever set aside by a compaction.

use mallard_compactor::ERASURE_VERSION;
use mallard_event::codec::BODY_VERSION;
use mallard_wal::disk::{self, Disk as _};
use mallard_wal::{Draft, Kind, scan};

use super::*;
use crate::store::prepare;

const BODY: &[u8] = b"what only a newer program can read";

/// The next record is one of this kind and version.
fn write(bench: &Bench, kind: Kind, version: u8) {
    let at = Timestamp::saturating_from_micros(bench.clock.now_us());
    let (visitor, name) = (VisitorId::parse("visitor").unwrap(), EventName::parse("pageview").unwrap());
    let id = EventId::parse("newer").unwrap();
    let event = Event::new(SiteId::parse("a").unwrap(), visitor, at, name, "/", id);
    let (_, entry) = prepare(event, at, None, None).unwrap();
    let draft = Draft::new(kind, version, 0, at.micros(), [9; 16], BODY).unwrap();
    let receipt = bench.store().log.append(draft, entry).unwrap();
    bench.store().pump().unwrap();
    receipt.wait().unwrap();
}

/// The records in the log, as kind, version and whether the body is the newer program's.
fn records(bench: &Bench, store_id: u128) -> Vec<(u64, Kind, u8, bool)> {
    let wal = Path::new(ROOT).join("wal");
    let names = bench.disk.list(&wal).unwrap().into_iter().filter(|entry| entry.name.ends_with(".wal"));
    let mut found = Vec::new();
    for name in names {
        let bytes = disk::read(&bench.disk, &wal.join(name.name)).unwrap();
        let scan = scan(&bytes, store_id).unwrap();
        let one =
            |record: mallard_wal::Record<'_>| (record.lsn.get(), record.kind, record.body_version, record.body == BODY);
        found.extend(scan.records().map(one));
    }
    found.sort_unstable_by_key(|record| record.0);
    found
}

#[test]
fn a_record_of_a_newer_program_is_refused_at_every_start_and_is_never_compacted_away() {
    let cases = [
        (Kind::EVENT, BODY_VERSION + 1),
        (Kind::EVENT, u8::MAX),
        (Kind::ERASURE, ERASURE_VERSION + 1),
        (Kind::SITE, 1),
        (Kind(200), 1),
    ];
    for (kind, version) in cases {
        let mut bench = Bench::new(1_000);
        bench.send("a", 2);
        write(&bench, kind, version);
        bench.send("a", 1);
        let store_id = bench.store().store_id();
        bench.store = None;
        let before = records(&bench, store_id);
        assert_eq!(before[2], (3, kind, version, true), "{before:?}");
        for life in 1..=3 {
            let refused = bench.open().err().unwrap().to_string();
            let expected = format!(
                "/data/wal: the record at LSN 3 (kind {}, version {version}) was written by a newer program; use that, or a later one",
                kind.0
            );
            assert_eq!(refused, expected, "life {life}");
            assert_eq!(records(&bench, store_id), before, "life {life}: the log is as it was");
            assert_eq!(bench.disk.list(&Path::new(ROOT).join("quarantine")).unwrap(), [], "life {life}");
        }
    }
}
