//! Which user agents belong to programs rather than people: the rule of CONTRACT §5.6, and nothing more.
//!
//! Two mistakes are possible, and the second is worse: counting a crawler, and dropping a person. So words that occur in
//! the names of phones (`CUBOT`), in in-app browsers (`WhatsApp` behind a `Mozilla/5.0`) or in parts of real browsers
//! (`fetch`) count only where they cannot mean a person. A sender without a user agent is not called a bot.

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

/// Whether the sender is a program.
pub(crate) fn is_bot(user_agent: UserAgent<'_>) -> bool {
    let text = user_agent.as_str().to_ascii_lowercase();
    names_a_bot(&text)
        || CONTAINED.iter().any(|word| text.contains(word))
        || LEADING.iter().any(|word| text.starts_with(word))
        || (!text.starts_with("mozilla/") && OUTSIDE_BROWSERS.iter().any(|word| text.contains(word)))
}

/// Whether `bot` ends a word, as in `googlebot/2.1`; `cubot` is a maker of phones.
fn names_a_bot(text: &str) -> bool {
    text.match_indices("bot").any(|(at, word)| {
        let (before, rest) = text.split_at(at);
        let next = rest.get(word.len()..).and_then(|after| after.chars().next());
        !next.is_some_and(|next| next.is_ascii_alphabetic()) && !before.ends_with("cu")
    })
}
