//! How a test says that this machine cannot run it.

use std::io::Write as _;

/// Reports what a test has counted on the real standard error, for the same reason.
pub(crate) fn say(counts: &str) {
    writeln!(std::io::stderr(), "counted: {counts}").expect("standard error is there");
}

/// Says so on the real standard error, which the test harness does not swallow as it does with `println!`. Where
/// `MALLARD_TEST_SKIPS=forbidden`, as `.ci/run` has it for root, it fails instead.
pub(crate) fn skip(reason: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let is_forbidden = std::env::var_os("MALLARD_TEST_SKIPS").is_some_and(|value| value == "forbidden");
    assert!(!is_forbidden, "skipped, and this machine should be able to: {reason}");
    writeln!(std::io::stderr(), "skipped: {name}: {reason}").expect("standard error is there");
}
