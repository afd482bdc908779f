use super::*;
use crate::auth::testing::{Bytes as Random, at};
use crate::documents::memory::Memory;

const SECRET: &str = "0123456789abcdef";

#[derive(Default)]
struct World {
    documents: Arc<Memory>,
    entropy: Arc<Random>,
}

impl World {
    /// A start of the process at `now`.
    fn start(&self, now: &str) -> Salts {
        let (documents, entropy): (Arc<Memory>, Arc<Random>) = (Arc::clone(&self.documents), Arc::clone(&self.entropy));
        Salts::open(documents, entropy, SECRET, at(now)).unwrap()
    }
}

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// What a key does, to compare keys.
fn mark(key: &DayKey) -> [u8; 32] {
    key.authenticate([&b"message"[..]])
}

#[test]
fn a_day_has_one_key_even_after_a_restart() {
    let world = World::default();
    let salts = world.start("2024-01-31T08:00:00Z");
    assert!(salts.key(day("2024-01-31")).is_none(), "a salt is made at its first use, not before");
    let first = mark(&salts.make(day("2024-01-31")).unwrap());
    assert_eq!(mark(&salts.make(day("2024-01-31")).unwrap()), first);
    assert_eq!(mark(&salts.key(day("2024-01-31")).unwrap()), first);
    let restarted = world.start("2024-01-31T23:59:59Z");
    assert_eq!(mark(&restarted.key(day("2024-01-31")).unwrap()), first);
}

#[test]
fn two_days_have_nothing_in_common() {
    let salts = World::default().start("2024-01-31T23:59:00Z");
    let [first, second] = ["2024-01-31", "2024-02-01"].map(|date| mark(&salts.make(day(date)).unwrap()));
    assert_ne!(first, second);
}

#[test]
fn a_salt_outlives_its_day_by_five_minutes_and_then_is_gone_everywhere() {
    let world = World::default();
    let salts = world.start("2024-01-31T12:00:00Z");
    salts.make(day("2024-01-31")).unwrap();
    salts.make(day("2024-02-01")).unwrap();
    let [ended, live] = ["2024-01-31", "2024-02-01"].map(|date| {
        let days = salts.days();
        hex::encode(days.iter().find(|known| known.date == day(date)).unwrap().salt.as_slice())
    });
    salts.destroy_ended(at("2024-02-01T00:04:59.999999Z")).unwrap();
    assert!(salts.key(day("2024-01-31")).is_some());
    assert!(world.documents.text().contains(&ended));
    salts.destroy_ended(at("2024-02-01T00:05:00Z")).unwrap();
    assert!(salts.key(day("2024-01-31")).is_none());
    assert!(salts.key(day("2024-02-01")).is_some());
    assert!(!world.documents.text().contains(&ended));
    assert!(world.documents.text().contains(&live));
}

#[test]
fn a_start_on_a_later_day_destroys_what_the_earlier_life_left() {
    let world = World::default();
    world.start("2024-01-31T12:00:00Z").make(day("2024-01-31")).unwrap();
    assert!(world.documents.text().contains("2024-01-31"));
    assert!(world.start("2024-02-03T12:00:00Z").key(day("2024-01-31")).is_none());
    let text = world.documents.text();
    assert!(text.contains(r#""salts":[]"#), "{text}");
}

#[test]
fn nothing_is_written_while_nothing_changes() {
    let world = World::default();
    let salts = world.start("2024-01-31T12:00:00Z");
    salts.make(day("2024-01-31")).unwrap();
    let writes = world.documents.writes();
    salts.make(day("2024-01-31")).unwrap();
    salts.destroy_ended(at("2024-01-31T23:00:00Z")).unwrap();
    assert_eq!(world.documents.writes(), writes);
}

#[test]
fn a_salt_that_could_not_be_stored_is_not_used_and_one_that_could_not_be_destroyed_is_tried_again() {
    let world = World::default();
    let salts = world.start("2024-01-31T12:00:00Z");
    world.documents.set_full(true);
    assert!(salts.make(day("2024-01-31")).is_err());
    assert!(salts.key(day("2024-01-31")).is_none());
    world.documents.set_full(false);
    salts.make(day("2024-01-31")).unwrap();
    world.documents.set_full(true);
    assert!(salts.destroy_ended(at("2024-02-01T00:05:00Z")).is_err());
    world.documents.set_full(false);
    salts.destroy_ended(at("2024-02-01T00:06:00Z")).unwrap();
    assert!(salts.key(day("2024-01-31")).is_none());
}

#[test]
fn many_first_uses_at_once_make_one_salt() {
    let world = World::default();
    let salts = world.start("2024-01-31T00:00:00Z");
    let marks: Vec<[u8; 32]> = std::thread::scope(|scope| {
        let making: Vec<_> = (0..8).map(|_| scope.spawn(|| mark(&salts.make(day("2024-01-31")).unwrap()))).collect();
        making.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(marks.iter().all(|mark| *mark == marks[0]));
    assert_eq!(world.documents.writes(), 1);
}

#[test]
fn another_secret_makes_another_key_of_the_same_salt() {
    let world = World::default();
    let first = mark(&world.start("2024-01-31T08:00:00Z").make(day("2024-01-31")).unwrap());
    let documents: Arc<Memory> = Arc::clone(&world.documents);
    let entropy: Arc<Random> = Arc::clone(&world.entropy);
    let other = Salts::open(documents, entropy, "fedcba9876543210", at("2024-01-31T09:00:00Z")).unwrap();
    assert_ne!(mark(&other.key(day("2024-01-31")).unwrap()), first);
}

#[test]
fn a_damaged_document_is_an_error_that_does_not_quote_it() {
    for text in
        ["", "{}", r#"{"salts":[{"date":"2024-01-31","salt":"c0ffee"}]}"#, r#"{"salts":[{"date":"x","salt":""}]}"#]
    {
        let world = World::default();
        world.documents.put("salt", text);
        let documents: Arc<Memory> = Arc::clone(&world.documents);
        let outcome = Salts::open(documents, Arc::new(Random::default()), SECRET, at("2024-01-31T12:00:00Z"));
        let error = outcome.err().unwrap().to_string();
        assert!(error.contains("`salt` is damaged") && !error.contains("c0ffee"), "{error}");
    }
}
