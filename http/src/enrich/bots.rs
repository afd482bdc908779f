//! Which user agents belong to programs rather than people: the rule of CONTRACT §5.6, and nothing more.
//!
//! Two mistakes are possible, and the second is worse: counting a crawler, and dropping a person. So words that occur in
//! the names of phones (`CUBOT`), in in-app browsers (`WhatsApp` behind a `Mozilla/5.0`) or in parts of real browsers
//! (`fetch`) count only where they cannot mean a person. A sender without a user agent is not called a bot.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::user_agent::UserAgent;

#[cfg(test)]
mod tests;

/// Who names one of these anywhere is a program.
const CONTAINED: [&str; 14] = [
    "crawler",
    "spider",
    "slurp",
    "headless",
    "phantom",
    "lighthouse",
    "pingdom",
    "uptimerobot",
    "mediapartners",
    "adsbot",
    "apis-google",
    "feedfetcher",
    "facebookexternalhit",
    "sogou",
];

/// Who introduces itself with one of these is a program; further in, it is the name of an in-app browser.
const LEADING: [&str; 5] = ["whatsapp", "curl", "libwww", "lwp-", "scrapy"];

/// Who names one of these is a program unless it introduces itself as a browser.
const OUTSIDE_BROWSERS: [&str; 6] = ["fetch", "python-requests", "python-urllib", "go-http-client", "java/", "wget"];

/// The part of a word that `googlebot/2.1` ends in.
const BOT: &str = "bot";

/// All words that may stand anywhere, in this order: [`CONTAINED`], [`OUTSIDE_BROWSERS`], [`BOT`].
static WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words = CONTAINED.iter().chain(&OUTSIDE_BROWSERS).chain([&BOT]);
    let kind = Some(AhoCorasickKind::DFA);
    AhoCorasick::builder().kind(kind).ascii_case_insensitive(true).build(words).expect("a few short words")
});

/// Whether the sender is a program.
pub(crate) fn is_bot(user_agent: UserAgent<'_>) -> bool {
    let text = user_agent.as_str();
    let is_browser = begins_with(text, "mozilla/");
    LEADING.iter().any(|word| begins_with(text, word))
        || WORDS.find_overlapping_iter(text).any(|found| match found.pattern().as_usize() {
            word if word < CONTAINED.len() => true,
            word if word < CONTAINED.len() + OUTSIDE_BROWSERS.len() => !is_browser,
            _ => is_name_of_a_bot(text, found.start(), found.end()),
        })
}

fn begins_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether the `bot` at this place ends a word; `cubot` is a maker of phones.
fn is_name_of_a_bot(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).unwrap_or_default().as_bytes();
    let next = text.as_bytes().get(end);
    !next.is_some_and(u8::is_ascii_alphabetic)
        && !before.last_chunk().is_some_and(|last: &[u8; 2]| last.eq_ignore_ascii_case(b"cu"))
}
