//! Which user agents belong to programs rather than people: the rule of CONTRACT §5.6, and nothing more.
//!
//! Two mistakes are possible, and the second is worse: counting a crawler, and dropping a person. So words that occur in
//! the names of phones (`CUBOT`), in in-app browsers (`WhatsApp` behind a `Mozilla/5.0`) or in parts of real browsers
//! (`fetch`) count only where they cannot mean a person. A sender without a user agent is not called a bot.

use std::sync::LazyLock;

use memchr::memmem::{Finder, find_iter};

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

static CONTAINED_FINDERS: LazyLock<Vec<Finder<'_>>> = LazyLock::new(|| CONTAINED.iter().map(Finder::new).collect());
static OUTSIDE_FINDERS: LazyLock<Vec<Finder<'_>>> =
    LazyLock::new(|| OUTSIDE_BROWSERS.iter().map(Finder::new).collect());

/// Whether the sender is a program.
pub(crate) fn is_bot(user_agent: UserAgent<'_>) -> bool {
    let text = user_agent.as_str().to_ascii_lowercase();
    let has_one = |words: &[Finder<'_>]| words.iter().any(|word| word.find(text.as_bytes()).is_some());
    LEADING.iter().any(|word| text.starts_with(word))
        || has_one(&CONTAINED_FINDERS)
        || find_iter(text.as_bytes(), BOT).any(|start| is_name_of_a_bot(&text, start))
        || (!text.starts_with("mozilla/") && has_one(&OUTSIDE_FINDERS))
}

/// Whether the `bot` at `start` ends a word; `cubot` is a maker of phones.
fn is_name_of_a_bot(text: &str, start: usize) -> bool {
    let (before, found) = text.split_at(start);
    let next = found.as_bytes().get(BOT.len());
    !next.is_some_and(u8::is_ascii_alphabetic) && !before.ends_with("cu")
}
