//! Damage of each kind to each file, the repair, and what is left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mallard_engine::{Error, Fault, Repaired, verify};

use crate::life::{Image, Machine, Moment, events, events_in_files, last, moments, settle};

/// What may happen to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Removed,
    Zeroed,
    Emptied,
    Cut(usize),
    Flipped(usize),
}

impl Damage {
    fn to(self, image: &mut Image, path: &Path) {
        let bytes = image.get_mut(path).unwrap();
        match self {
            Self::Removed => drop(image.remove(path)),
            Self::Zeroed => bytes.fill(0),
            Self::Emptied => bytes.clear(),
            Self::Cut(at) => bytes.truncate(at),
            Self::Flipped(at) => bytes[at] ^= 0x10,
        }
    }

    fn of_every_kind(bytes: usize) -> Vec<Self> {
        let some = |at: usize| [Self::Cut(at), Self::Flipped(at)];
        let places = [bytes / 7, bytes / 2, bytes.saturating_sub(20)].into_iter().filter(|at| *at < bytes);
        [Self::Removed, Self::Zeroed, Self::Emptied].into_iter().chain(places.flat_map(some)).collect()
    }
}

/// What a repaired store shows. Everything that must hold whatever was damaged is checked.
pub fn check_repaired(machine: &Machine, moment: &Moment, repaired: &Repaired) -> BTreeSet<usize> {
    let store = machine.open().unwrap_or_else(|error| panic!("after {repaired:?}: {error}"));
    let shown = events(&store);
    let reasons = store.status().degraded_reasons;
    assert!(repaired.is_nothing() || !reasons.is_empty(), "{repaired:?} leaves nothing to acknowledge");
    settle(&store);
    machine.clock.advance_us(10_000_000);
    settle(&store);
    assert!(!store.is_erasing(), "an erasure does not come to an end");
    let found = events_in_files(&store);
    assert!(shown.is_none_or(|shown| shown == found), "maintenance has changed what is visible");
    assert!(found.is_disjoint(&moment.erased), "erased events are back: {:?}", found.intersection(&moment.erased));
    assert!(found.is_subset(&moment.events), "events that never were");
    assert_not_on_disk(&machine.image(), &moment.erased);
    store.acknowledge_loss(&|_| {}).unwrap();
    assert_eq!(store.status().degraded_reasons, Vec::<String>::new());
    store.close().unwrap();
    drop(store);
    let verified = verify(Path::new("/data"), &machine.env, &mut |_, _| {}).unwrap();
    // A Parquet file that is damaged keeps nothing from opening: `verify` is who says so.
    let is_parquet = |fault: &Fault| fault.path.as_ref().is_some_and(|path| path.starts_with("events"));
    let is_untouched = repaired.is_nothing() && verified.lost.is_empty() && verified.faults.iter().all(is_parquet);
    assert!(verified.is_sound() || is_untouched, "{repaired:?}: {:?} {:?}", verified.faults, verified.lost);
    found
}

/// No file holds the id of an erased event.
fn assert_not_on_disk(image: &Image, erased: &BTreeSet<usize>) {
    for (path, bytes) in image {
        let ids = bytes.windows(6).enumerate().filter(|(_, window)| *window == b"event-");
        for (at, _) in ids {
            let digits: String =
                bytes[at + 6..].iter().map(|byte| char::from(*byte)).take_while(char::is_ascii_digit).collect();
            let is_erased = digits.parse().is_ok_and(|number| erased.contains(&number));
            assert!(!is_erased, "event {digits} was erased and is in {}", path.display());
        }
    }
}

/// Damages, repairs, and returns what is lost.
fn lost_by(moment: &Moment, damage: impl FnOnce(&mut Image)) -> BTreeSet<usize> {
    let mut image = moment.image.clone();
    damage(&mut image);
    let machine = Machine::with(&image);
    let planned = machine.repair(true).unwrap();
    assert_eq!(machine.image(), image, "a dry run changes nothing");
    // Opening never panics, and says what to do.
    if let Err(error) = Machine::with(&image).open() {
        assert!(error.to_string().contains("repair"), "{error}");
        assert!(!planned.is_nothing(), "{error}, and nothing is to be repaired");
    }
    let repaired = machine.repair(false).unwrap_or_else(|error| panic!("{planned:?}: {error}"));
    assert_eq!(planned.actions, repaired.actions, "a dry run says what is done");
    kept_originals(&image, &machine.image(), &repaired);
    let found = check_repaired(&machine, moment, &repaired);
    moment.events.difference(&found).copied().collect()
}

/// Nothing is deleted: what an action has taken away is where it says.
fn kept_originals(before: &Image, after: &Image, repaired: &Repaired) {
    for action in &repaired.actions {
        if let Some(kept) = &action.kept {
            assert_eq!(after.get(Path::new(kept)), before.get(Path::new(&action.path)), "{action:?}");
        }
    }
}

fn files_in<'a>(image: &'a Image, folder: &'a str) -> impl Iterator<Item = (&'a PathBuf, usize)> {
    image.iter().filter(move |(path, _)| path.starts_with(folder)).map(|(path, bytes)| (path, bytes.len()))
}

#[test]
fn whatever_happens_to_one_file_that_is_no_event_every_event_is_there_once_after_a_repair() {
    let moment = last();
    let mut cases = 0;
    for folder in ["STORE", "manifest", "erasure.log"] {
        for (path, bytes) in files_in(&moment.image, folder) {
            for damage in Damage::of_every_kind(bytes) {
                let lost = lost_by(&moment, |image| damage.to(image, path));
                assert_eq!(lost, BTreeSet::new(), "{damage:?} of {}", path.display());
                cases += 1;
            }
        }
    }
    println!("{cases} damaged files that hold no event");
    assert!(cases > 30);
}

#[test]
fn a_damaged_segment_or_parquet_file_costs_its_own_events_and_no_others() {
    let moment = last().without_open_erasure();
    let mut cases = 0;
    for (folder, ending) in [("wal", "wal"), ("events", "parquet")] {
        for (path, bytes) in files_in(&moment.image, folder).filter(|(path, _)| path.extension().unwrap() == ending) {
            for damage in Damage::of_every_kind(bytes) {
                let lost = lost_by(&moment, |image| damage.to(image, path));
                for number in lost.difference(&moment.erasing) {
                    let id = format!("event-{number}");
                    let holds = moment.image[path].windows(id.len()).any(|window| window == id.as_bytes());
                    assert!(holds, "{damage:?} of {} has cost event {number}", path.display());
                }
                cases += 1;
            }
        }
    }
    println!("{cases} damaged segments and Parquet files");
    assert!(cases > 60);
}

#[test]
fn at_every_moment_of_a_life_a_lost_manifest_costs_no_event() {
    let moments = moments();
    for moment in &moments {
        let all: Vec<_> = files_in(&moment.image, "manifest").map(|(path, _)| path.clone()).collect();
        let newest = all.last().unwrap();
        for (what, gone) in [("all", all.clone()), ("the newest", vec![newest.clone()])] {
            let lost = lost_by(moment, |image| image.retain(|path, _| !gone.contains(path)));
            assert_eq!(lost, BTreeSet::new(), "{what} lost: {}", moment.what);
        }
        let lost = lost_by(moment, |image| image.get_mut(newest).unwrap()[10] ^= 1);
        assert_eq!(lost, BTreeSet::new(), "the newest is damaged: {}", moment.what);
    }
    println!("{} moments", moments.len());
}

#[test]
fn a_manifest_damaged_at_any_of_its_edits_costs_no_event() {
    let moment = last();
    let newest = files_in(&moment.image, "manifest").last().unwrap().0.clone();
    let used = moment.image[&newest].iter().rposition(|byte| *byte != 0).unwrap();
    for at in (0..used).step_by(512) {
        for only in [false, true] {
            let lost = lost_by(&moment, |image| {
                image.get_mut(&newest).unwrap()[at] ^= 1;
                image.retain(|path, _| !only || !path.starts_with("manifest") || *path == newest);
            });
            assert_eq!(lost, BTreeSet::new(), "byte {at}");
        }
    }
}

#[test]
fn with_store_and_manifest_gone_the_headers_of_the_log_give_the_id_back() {
    for moment in moments() {
        let lost = lost_by(&moment, |image| {
            image.retain(|path, _| *path != Path::new("STORE") && !path.starts_with("manifest"));
        });
        assert_eq!(lost, BTreeSet::new(), "{}", moment.what);
    }
}

#[test]
fn with_nothing_left_but_parquet_files_their_events_are_there_and_erased_ones_are_not() {
    let moment = last().without_open_erasure();
    let mut image = moment.image.clone();
    image.retain(|path, _| path.starts_with("events") || path == Path::new("erasure.log"));
    image.insert("manifest/junk".into(), Vec::new());
    let machine = Machine::with(&image);
    let repaired = machine.repair(false).unwrap();
    assert_eq!(repaired.actions[0].path, "STORE", "{repaired:?}");
    let found = check_repaired(&machine, &moment, &repaired);
    let in_files = moment.events.iter().filter(|number| {
        let id = format!("event-{number}");
        let mut files = image.values();
        files.any(|bytes| {
            bytes
                .windows(id.len() + 1)
                .any(|window| window.starts_with(id.as_bytes()) && !window[id.len()].is_ascii_digit())
        })
    });
    assert_eq!(found, in_files.copied().collect());
    assert!(found.len() > 20);
}

#[test]
fn files_of_another_store_and_renamed_segments_find_their_place() {
    let moment = last();
    let other = Machine::with(&Image::new());
    drop(other.open().unwrap());
    let strange = other.image().into_iter().find(|(path, _)| path.starts_with("wal")).unwrap().1;
    let newest = files_in(&moment.image, "wal").last().unwrap().0.clone();
    let lost = lost_by(&moment, |image| drop(image.insert("wal/00000000000000000099.wal".into(), strange.clone())));
    assert_eq!(lost, BTreeSet::new());
    let lost = lost_by_in_steps(&moment, |image| {
        let bytes = image.remove(&newest).unwrap();
        image.insert("wal/copy.wal".into(), bytes);
    });
    assert_eq!(lost, BTreeSet::new());
    let copied = newest.clone();
    let lost = lost_by_in_steps(&moment, move |image| {
        let bytes = image[&copied].clone();
        image.insert("wal/00000000000000009999.wal".into(), bytes);
    });
    assert_eq!(lost, BTreeSet::new(), "a copy under another name is set aside");
}

/// Where a dry run cannot look behind its first step.
fn lost_by_in_steps(moment: &Moment, damage: impl FnOnce(&mut Image)) -> BTreeSet<usize> {
    let mut image = moment.image.clone();
    damage(&mut image);
    let machine = Machine::with(&image);
    assert!(machine.open().unwrap_err().to_string().contains("repair"));
    assert!(!machine.repair(true).unwrap().is_nothing());
    let repaired = machine.repair(false).unwrap();
    moment.events.difference(&check_repaired(&machine, moment, &repaired)).copied().collect()
}

#[test]
fn a_sound_store_is_left_alone() {
    for moment in moments() {
        let machine = Machine::with(&moment.image);
        assert!(machine.repair(false).unwrap().is_nothing(), "{}", moment.what);
        assert_eq!(machine.image(), moment.image, "{}", moment.what);
    }
}

#[test]
fn what_is_no_store_or_is_in_use_is_refused() {
    let moment = last();
    let machine = Machine::with(&moment.image);
    let store = machine.open().unwrap();
    assert!(matches!(machine.repair(false), Err(Error::Locked { .. })));
    drop(store);
    let empty = Machine::with(&Image::from([("notes.txt".into(), b"mine".to_vec())]));
    assert!(empty.repair(false).unwrap_err().to_string().contains("no data directory"));
    let mut image = moment.image;
    image.insert("RESTORING".into(), Vec::new());
    assert!(Machine::with(&image).repair(false).unwrap_err().to_string().contains("restore again"));
}
