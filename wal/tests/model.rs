//! The log is a list: whatever is done to it, a recovery gives back what was committed, in order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{Delivered, Home, Running, draft, item_of, small};
use mallard_wal::disk::{Env, real, sim};
use mallard_wal::{Drive, Lsn, Receipt};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    AppendAll(Vec<usize>),
    /// Commit all that waits.
    Settle,
    Seal,
    /// Trim at a checkpoint this many percent into what is committed.
    Trim(u64),
    /// Close and start again.
    Close,
    /// Settle, drop without closing, and start again.
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let body_bytes = || prop_oneof![4 => 0..300_usize, 1 => 3000..7000_usize];
    let step = prop_oneof![
        8 => body_bytes().prop_map(Step::Append),
        2 => prop::collection::vec(0..400_usize, 1..12).prop_map(Step::AppendAll),
        4 => Just(Step::Settle),
        2 => Just(Step::Seal),
        1 => (0..=100_u64).prop_map(Step::Trim),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..60)
}

/// The list, and the log that must agree with it.
struct Model {
    home: Home,
    drive: Drive,
    running: Option<Running>,
    /// The item at each committed LSN.
    list: BTreeMap<u64, u64>,
    waiting: Vec<(Receipt, Vec<u64>)>,
    next_item: u64,
    checkpoint: u64,
}

impl Model {
    fn new(env: Env, root: &Path, drive: Drive) -> Self {
        let home = Home::new(env, root, small());
        let running = Some(home.start(0, drive).unwrap());
        Self { home, drive, running, list: BTreeMap::new(), waiting: Vec::new(), next_item: 1, checkpoint: 0 }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    fn perform(&mut self, step: &Step) {
        match step {
            Step::Append(bytes) => self.append(&[*bytes]),
            Step::AppendAll(sizes) => self.append(sizes),
            Step::Settle => self.settle(),
            Step::Seal => {
                self.settle();
                let active = self.running().log.status().active_records;
                let sealed = self.running().log.seal().unwrap();
                assert_eq!(sealed.map_or(0, |segment| segment.records), active);
            }
            Step::Trim(percent) => {
                self.settle();
                let high_water = self.running().log.high_water().get();
                self.checkpoint = self.checkpoint.max(high_water * percent / 100);
                self.running().log.trim(Lsn::new(self.checkpoint)).unwrap();
            }
            Step::Close => {
                self.running().log.close().unwrap();
                self.resolve();
                self.reopen();
            }
            Step::Kill => {
                self.settle();
                self.reopen();
            }
        }
        self.check_sealed();
    }

    fn append(&mut self, sizes: &[usize]) {
        let items: Vec<_> = (self.next_item..).take(sizes.len()).collect();
        self.next_item += sizes.len() as u64;
        let mut records: Vec<_> = items.iter().zip(sizes).map(|(&item, &size)| (draft(item, size), item)).collect();
        let receipt = match records.len() {
            1 => records.pop().map(|(draft, item)| self.running().log.append(draft, item)).unwrap(),
            _ => self.running().log.append_all(records),
        };
        // A full queue refuses: the list does not grow.
        if let Ok(receipt) = receipt {
            self.waiting.push((receipt, items));
        }
    }

    fn settle(&mut self) {
        if self.drive == Drive::Manual {
            while self.running().log.pump().unwrap() {}
        }
        self.resolve();
    }

    fn resolve(&mut self) {
        for (receipt, items) in self.waiting.drain(..) {
            let first = receipt.wait().unwrap().get();
            assert_eq!(first, self.list.last_key_value().map_or(0, |(lsn, _)| *lsn) + 1, "LSNs are dense, in order");
            self.list.extend((first..).zip(items));
        }
        let last = self.list.last_key_value().map_or(0, |(lsn, _)| *lsn);
        assert_eq!(self.running().log.high_water().get(), last);
    }

    fn reopen(&mut self) {
        self.running = None;
        let running = self.home.start(self.checkpoint, self.drive).unwrap();
        let expected = self.list.range(self.checkpoint + 1..).map(|(&lsn, &item)| Delivered::Record(lsn, item));
        assert!(running.delivered.iter().cloned().eq(expected), "{:?} is not the list", running.delivered);
        assert_eq!(running.report.quarantined.len() + running.report.gaps.len(), 0);
        self.running = Some(running);
    }

    fn check_sealed(&self) {
        let sealed = self.running().log.sealed();
        let last_known = self.list.last_key_value().map_or(0, |(lsn, _)| *lsn);
        // The thread of a log may have filled and sealed a segment whose receipts nobody has looked at.
        for segment in sealed.iter().filter(|segment| segment.last_lsn.get() <= last_known) {
            let loaded = segment.load(self.home.env.disk.as_ref()).unwrap();
            let records = loaded.records().map(|record| (record.lsn.get(), item_of(&record)));
            let range = segment.first_lsn.get()..=segment.last_lsn.get();
            assert!(records.eq(self.list.range(range).map(|(&lsn, &item)| (lsn, item))));
        }
        assert!(sealed.windows(2).all(|pair| pair[0].last_lsn.next() == pair[1].first_lsn));
        assert!(sealed.first().is_none_or(|first| first.first_lsn.get() <= self.checkpoint + 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_manual_log_is_a_list(steps in steps()) {
        let (env, _, _) = sim::env(1);
        let mut model = Model::new(env, Path::new("/"), Drive::Manual);
        for step in &steps {
            model.perform(step);
        }
        model.perform(&Step::Kill);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    #[test]
    fn a_log_with_threads_on_a_real_disk_is_a_list(steps in steps()) {
        let root = tempfile::tempdir().unwrap();
        let mut model = Model::new(real::env(), root.path(), Drive::Thread);
        for step in &steps {
            model.perform(step);
        }
        model.perform(&Step::Close);
    }
}
