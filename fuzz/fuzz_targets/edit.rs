//! Two manifest edits, the first with its length before it, in every version: no panic, what decodes encodes to the same bytes,
//! an older edit to one of now that says the same, a refused edit changes nothing, and a state is what its checkpoint makes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_compactor::{EDIT_VERSION, Edit, Manifest};
use mallard_fuzz::script::Script;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let mut manifest = Manifest::default();
    for bytes in [script.bytes(), script.rest()] {
        for version in 1..EDIT_VERSION {
            if let Ok(edit) = Edit::decode(version, bytes) {
                assert_eq!(Edit::decode(EDIT_VERSION, &edit.encode()).as_ref(), Ok(&edit), "an edit of version {version}");
            }
        }
        let Ok(edit) = Edit::decode(EDIT_VERSION, bytes) else { continue };
        assert_eq!(edit.encode(), bytes);
        let before = manifest.clone();
        match manifest.apply(&edit) {
            Ok(()) => check(&manifest),
            Err(_) => assert_eq!(manifest, before, "a refused edit changes nothing"),
        }
    }
});

fn check(manifest: &Manifest) {
    let again = Manifest::from_checkpoint(&manifest.to_checkpoint());
    assert_eq!(again.as_ref(), Ok(manifest), "a checkpoint makes the same state");
    assert_eq!(manifest.files().map(|file| file.rows).sum::<u64>(), manifest.totals().rows);
    assert!(manifest.files().all(|file| file.lsns.last <= manifest.checkpoint()));
}
