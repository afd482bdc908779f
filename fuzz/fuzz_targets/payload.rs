//! Any bytes as the body of `POST /api/event`, as a page's address and as the query of the pixel: no panic, and what is
//! accepted is within the contract's bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_event::payload::{PageUrl, PayloadError, RawPayload, Trust};

fuzz_target!(|bytes: &[u8]| {
    for trust in [Trust::Anonymous, Trust::Keyed] {
        check(RawPayload::parse(bytes), trust);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check(RawPayload::from_query(text.split('&').filter_map(|pair| pair.split_once('='))), Trust::Anonymous);
    for hash_mode in [false, true] {
        let page = PageUrl::parse(text, hash_mode);
        assert!(page.pathname.starts_with('/') && page.pathname.chars().count() <= 2048);
    }
});

fn check(raw: Result<RawPayload<'_>, PayloadError>, trust: Trust) {
    let Ok(payload) = raw.and_then(|raw| raw.validate(trust)) else { return };
    assert!(payload.site.as_str().len() <= 256 && payload.name.as_str().len() <= 256);
    assert!(payload.props.is_none_or(|props| props.as_str().len() <= 4096));
}
