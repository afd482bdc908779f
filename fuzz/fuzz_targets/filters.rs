//! Any text as the parameter `filters`, in both of its forms: no panic, no deep recursion, and what is read is within the
//! bounds of its parser. Takes the two files of the HTTP crate alone, for that crate links DuckDB.
#![no_main]

#[path = "../../http/src/stats/filter/legacy.rs"]
mod legacy;
#[path = "../../http/src/stats/filter/syntax.rs"]
mod syntax;

use libfuzzer_sys::fuzz_target;
use syntax::{Clause, Operator};

/// Levels that the parser reads, and the list around them.
const DEPTH_MAX: usize = 18;

fuzz_target!(|text: &str| {
    if let Ok(clause) = syntax::parse_text(text) {
        check(&clause, DEPTH_MAX);
    }
    if let Ok(clause) = legacy::parse(text) {
        check(&clause, 3);
    }
});

fn check(clause: &Clause, depth: usize) {
    assert!(depth > 0, "nested too deeply");
    match clause {
        Clause::And(parts) | Clause::Or(parts) => parts.iter().for_each(|part| check(part, depth - 1)),
        Clause::Not(part) | Clause::HasDone(part) => check(part, depth - 1),
        Clause::Compare(comparison) => {
            assert!(comparison.at.starts_with("filters[") && !comparison.values.is_empty());
            assert!(comparison.is_case_sensitive || comparison.operator != Operator::Matches);
        }
    }
}
