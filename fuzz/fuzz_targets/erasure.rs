//! Any bytes as an erasure: no panic, what decodes encodes to the same bytes, and it takes an event only if all of site,
//! time, subject and position agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_compactor::{ERASURE_VERSION, Erasure, Reach};
use mallard_event::{Event, EventId, EventName, Subject, Timestamp, VisitorId};
use mallard_wal::Lsn;

const USER: &str = "user";

fuzz_target!(|bytes: &[u8]| {
    let Ok(erasure) = Erasure::decode(ERASURE_VERSION, bytes) else { return };
    assert_eq!(erasure.encode(), bytes);
    let visitor = VisitorId::parse("visitor").expect("it is valid");
    // A random fingerprint is nobody's: the same erasure is tried of this visitor and of this user, too.
    let [of_visitor, of_user] = [Subject::visitor(&erasure.site, &visitor), Subject::user(&erasure.site, USER)];
    for subject in [erasure.subject, Some(of_visitor), Some(of_user)] {
        takes(&Erasure { subject, ..erasure.clone() }, &visitor);
    }
});

fn takes(erasure: &Erasure, visitor: &VisitorId) {
    let of_visitor = Subject::visitor(&erasure.site, visitor);
    let of_user = Subject::user(&erasure.site, USER);
    let start_us = erasure.start_us;
    for at_us in [start_us.saturating_sub(1), start_us, erasure.end_us.saturating_sub(1), erasure.end_us] {
        let at = Timestamp::saturating_from_micros(at_us);
        let (name, id) = (EventName::parse("pageview"), EventId::parse("id"));
        let (name, id) = (name.expect("it is valid"), id.expect("it is valid"));
        let nobodys = Event::new(erasure.site.clone(), visitor.clone(), at, name, "/", id);
        let users = Event { user_hash: Some(USER.into()), ..nobodys.clone() };
        let is_inside = (erasure.start_us..erasure.end_us).contains(&at.micros());
        for lsn in [Lsn::FIRST, erasure.lsn.previous(), erasure.lsn, erasure.lsn.next()] {
            let is_before = match erasure.reach {
                Reach::Lsn => lsn < erasure.lsn,
                Reach::Received => at.micros() <= erasure.at_us,
            };
            for (event, is_users) in [(&nobodys, false), (&users, true)] {
                let is_of = |subject| subject == of_visitor || (is_users && subject == of_user);
                let is_meant = erasure.subject.is_none_or(is_of);
                assert_eq!(erasure.takes(event, lsn, at), is_meant && is_inside && is_before);
            }
        }
    }
}
