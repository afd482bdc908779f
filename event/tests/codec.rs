//! The bytes of events: yesterday's files open today, and no bytes do harm.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod support;

use mallard_event::codec::{BODY_BYTES_MAX, BODY_VERSION, DecodeError, decode, encode};
use mallard_event::{Event, EventName, Invalid};
use proptest::prelude::*;
use support::{any_event, full, minimal};

const GOLDEN_MINIMAL: &[u8] = include_bytes!("fixtures/v1/minimal.body");
const GOLDEN_FULL: &[u8] = include_bytes!("fixtures/v1/full.body");

#[test]
fn version_1_bodies_never_change() {
    for (golden, event) in [(GOLDEN_MINIMAL, minimal()), (GOLDEN_FULL, full())] {
        assert_eq!(decode(1, golden).unwrap(), event);
    }
    assert_eq!(BODY_VERSION, 1, "keep these files, add those of the new version, and compare encode with them");
    assert_eq!(encode(&minimal()), GOLDEN_MINIMAL);
    assert_eq!(encode(&full()), GOLDEN_FULL);
}

#[test]
fn an_unknown_version_is_refused_before_its_bytes_are_read() {
    for version in [0, 2, 255] {
        let error = decode(version, GOLDEN_FULL).unwrap_err();
        assert!(matches!(error, DecodeError::UnknownVersion { version: got } if got == version), "{error}");
    }
    let message = decode(2, &[]).unwrap_err().to_string();
    assert_eq!(message, "event body has version 2, this program reads up to 1: upgrade the program");
}

#[test]
fn every_truncation_is_an_error() {
    for length in 0..GOLDEN_FULL.len() {
        let error = decode(BODY_VERSION, &GOLDEN_FULL[..length]).unwrap_err();
        assert!(matches!(error, DecodeError::Layout(_)), "{length}: {error}");
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    let mut body = encode(&full());
    body.extend([0, 0, 0]);
    assert!(matches!(decode(BODY_VERSION, &body), Err(DecodeError::Trailing { bytes: 3 })));
}

#[test]
fn the_longest_body_is_read_and_a_longer_one_is_not() {
    let longest = event_of_bytes(BODY_BYTES_MAX);
    assert_eq!(decode(BODY_VERSION, &encode(&longest)).unwrap(), longest);
    let too_long = encode(&event_of_bytes(BODY_BYTES_MAX + 1));
    assert!(matches!(decode(BODY_VERSION, &too_long), Err(DecodeError::TooLong { bytes: 65_537 })));
}

#[test]
fn a_length_that_claims_more_than_there_is_is_an_error() {
    // 253 announces a u64: the site would have 2^64 - 1 bytes.
    let body = [vec![253], vec![255; 8], vec![b'x'; 100]].concat();
    assert!(matches!(decode(BODY_VERSION, &body), Err(DecodeError::Layout(_))));
}

#[test]
fn a_field_that_breaks_its_rule_is_named() {
    let mut body = encode(&minimal());
    assert_eq!(&body[1..12], b"example.com");
    body[4] = b'/';
    match decode(BODY_VERSION, &body).unwrap_err() {
        DecodeError::Invalid(Invalid { field, .. }) => assert_eq!(field, "site id"),
        other => panic!("{other}"),
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut random = SplitMix(0x6d61_6c6c_6172_6421);
    let mut accepted = 0;
    for _ in 0..100_000 {
        let body = random.body();
        if let Ok(event) = decode(BODY_VERSION, &body) {
            accepted += 1;
            assert_eq!(decode(BODY_VERSION, &encode(&event)).unwrap(), event);
        }
    }
    // Some flips hit plain text: the test has seen both sides.
    assert!((1_000..99_000).contains(&accepted), "{accepted}");
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(event in any_event()) {
        prop_assert_eq!(decode(BODY_VERSION, &encode(&event)).unwrap(), event);
    }
}

/// An event whose body has exactly `bytes` bytes.
fn event_of_bytes(bytes: usize) -> Event {
    let with_path = |length: usize| Event {
        name: EventName::parse("long").unwrap(),
        pathname: "/".repeat(length).into(),
        ..full()
    };
    let overhead = encode(&with_path(60_000)).len() - 60_000;
    with_path(bytes - overhead)
}

/// A seeded generator, so that a failure can be repeated.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// Random bytes, or a good body with a few bits flipped and perhaps its end cut off.
    fn body(&mut self) -> Vec<u8> {
        if self.below(4) == 0 {
            let length = self.below(300);
            return (0..length).map(|_| self.next().to_le_bytes()[0]).collect();
        }
        let mut body = if self.below(2) == 0 { GOLDEN_MINIMAL.to_vec() } else { GOLDEN_FULL.to_vec() };
        for _ in 0..=self.below(3) {
            let at = self.below(body.len());
            body[at] ^= 1 << self.below(8);
        }
        if self.below(4) == 0 {
            body.truncate(self.below(body.len()));
        }
        body
    }
}
