//! Any bytes as the body of an event: no panic, no large allocation, and what decodes encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_event::codec;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = codec::decode(codec::BODY_VERSION, bytes) {
        let again = codec::decode(codec::BODY_VERSION, &codec::encode(&event));
        assert_eq!(again.ok().as_ref(), Some(&event));
    }
});
