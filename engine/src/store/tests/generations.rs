//! Copies of copies: a store that was restored is backed up and restored again.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::*;
use crate::backup::{Archive, Restore, backup};
use crate::erasure::ErasureRequest;
use crate::query::Span;

#[derive(Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Archive for Files {
    fn file(&mut self, path: &str, _bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        content.read_to_end(self.0.entry(path.to_owned()).or_default()).map(drop)
    }
}

impl Bench {
    /// A copy of this store, restored on another machine where it is as late as here.
    fn copied(&self) -> Self {
        let mut files = Files::default();
        backup(Path::new(ROOT), &self.env, &[], &mut files, &mut |_, _| {}).unwrap();
        let (env, disk, clock) = sim::env(2);
        clock.set_us(self.clock.now_us());
        let mut restore = Restore::begin(Path::new(ROOT), env.clone(), None).unwrap();
        for (path, bytes) in &files.0 {
            restore.file(Path::new(path), &mut &bytes[..]).unwrap();
        }
        restore.finish(false, &mut |_, _| {}).unwrap();
        let mut copy = Self { store: None, config: self.config.clone(), env, disk, clock, sent: self.sent };
        copy.restart();
        copy
    }

    fn erase(&self, site: &str) {
        let span = Span { start_us: 0, end_us: i64::MAX };
        let request = ErasureRequest { site: SiteId::parse(site).unwrap(), span, subject: None };
        let (_, receipt) = self.store().begin_erasure(&request).unwrap();
        self.store().pump().unwrap();
        receipt.wait().unwrap();
        self.settle_well();
    }
}

/// By the date alone the second event would be older than the erasure.
#[test]
fn what_was_accepted_after_a_restore_survives_the_next_one() {
    let mut first = Bench::new(1);
    first.send("a", 1);
    first.clock.jump_us(DAY_US);
    first.erase("a");
    first.clock.jump_us(-DAY_US);
    let mut second = first.copied();
    assert!(second.rows("a").is_empty());
    second.send("a", 1);
    assert_eq!(second.rows("a"), [2]);
    let third = second.copied();
    assert_eq!(third.rows("a"), [2]);
    // What is erased in the copy stays so in the next.
    second.erase("a");
    assert!(second.copied().rows("a").is_empty());
}
