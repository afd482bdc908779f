//! A script: the lives of a log, with power cuts and failing calls, and then what happens to its files. What was
//! acknowledged is delivered, or lies inside a gap that says so; nothing wrong, nothing twice, nothing out of order; and
//! a second recovery delivers the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_fuzz::history::History;
use mallard_fuzz::script::Script;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    History::live(&mut script).damage(&mut script);
});
