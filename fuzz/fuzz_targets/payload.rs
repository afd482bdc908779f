//! Any bytes as the body of `POST /api/event`: no panic, and what is accepted is within the contract's bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_event::payload::{PageUrl, RawPayload, Trust};

fuzz_target!(|bytes: &[u8]| {
    for trust in [Trust::Anonymous, Trust::Keyed] {
        let Ok(payload) = RawPayload::parse(bytes).and_then(|raw| raw.validate(trust)) else { continue };
        assert!(payload.site.as_str().len() <= 256 && payload.name.as_str().len() <= 256);
        assert!(payload.props.is_none_or(|props| props.as_str().len() <= 4096));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        for hash_mode in [false, true] {
            let page = PageUrl::parse(text, hash_mode);
            assert!(page.pathname.starts_with('/') && page.pathname.chars().count() <= 2048);
        }
    }
});
