//! Any bytes as a manifest edit: no panic, and what decodes encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_compactor::{EDIT_VERSION, Edit, Manifest};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(edit) = Edit::decode(EDIT_VERSION, bytes) {
        assert_eq!(edit.encode(), bytes);
        let mut manifest = Manifest::default();
        let before = manifest.clone();
        if manifest.apply(&edit).is_err() {
            assert_eq!(manifest, before, "a refused edit changes nothing");
        }
    }
});
