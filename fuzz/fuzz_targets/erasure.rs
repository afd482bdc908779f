//! Any bytes as an erasure: no panic, what decodes encodes to the same bytes, and it takes an event only if all of site,
//! time, subject and position agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_compactor::{ERASURE_VERSION, Erasure, Reach};
use mallard_event::{Event, EventId, EventName, Subject, Timestamp, VisitorId};
use mallard_wal::Lsn;

fuzz_target!(|bytes: &[u8]| {
    let Ok(erasure) = Erasure::decode(ERASURE_VERSION, bytes) else { return };
    assert_eq!(erasure.encode(), bytes);
    let visitor = VisitorId::parse("visitor").expect("it is valid");
    let is_meant = match erasure.subject {
        None => true,
        Some(subject) => subject == Subject::visitor(&erasure.site, &visitor),
    };
    for at_us in [erasure.start_us.saturating_sub(1), erasure.start_us, erasure.end_us.saturating_sub(1), erasure.end_us] {
        let at = Timestamp::saturating_from_micros(at_us);
        let (name, id) = (EventName::parse("pageview"), EventId::parse("id"));
        let (name, id) = (name.expect("it is valid"), id.expect("it is valid"));
        let event = Event::new(erasure.site.clone(), visitor.clone(), at, name, "/", id);
        let is_inside = (erasure.start_us..erasure.end_us).contains(&at.micros());
        for lsn in [Lsn::FIRST, erasure.lsn.previous(), erasure.lsn, erasure.lsn.next()] {
            let is_before = match erasure.reach {
                Reach::Lsn => lsn < erasure.lsn,
                Reach::Received => at.micros() <= erasure.at_us,
            };
            assert_eq!(erasure.takes(&event, lsn, at), is_meant && is_inside && is_before);
        }
    }
});
