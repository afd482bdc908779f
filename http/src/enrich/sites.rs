//! The sites that send visitors: how each is called in reports, and what kind of site it is.
//!
//! The names come from CONTRACT §5.6. The kinds follow a selection, made by hand, from the lists of Matomo
//! (`matomo-org/searchengine-and-social-list`: `SearchEngines.yml`, `Socials.yml`, `AIAssistants.yml`), reduced to the sites
//! that people arrive from today. To update: compare with those files, add a row here, and a case to the tests of
//! [`super::referrer`] or [`super::channel`]. Stored events keep what was true when they arrived.
//!
//! A host belongs to the longest listed domain that it equals or is below of, label by label: `m.facebook.com` is Facebook,
//! `notfacebook.com` and `facebook.com.evil.example` are not.

use std::collections::HashMap;
use std::sync::LazyLock;

use Kind::{Assistant, Other, Search, Social};

/// What people do on a site, as far as channels care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A search engine.
    Search,
    /// A social network.
    Social,
    /// An AI assistant.
    Assistant,
    /// Anything else that has a name of its own.
    Other,
}

/// A site that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    /// What reports call it; `None`: its host.
    pub(crate) name: Option<&'static str>,
    pub(crate) kind: Kind,
}

const fn named(domain: &'static str, name: &'static str, kind: Kind) -> (&'static str, Site) {
    (domain, Site { name: Some(name), kind })
}

const fn plain(domain: &'static str, kind: Kind) -> (&'static str, Site) {
    (domain, Site { name: None, kind })
}

/// Sites that have the same name under every public suffix, such as `google.co.uk`.
const UNDER_ANY_SUFFIX: [(&str, Site); 3] =
    [named("google", "Google", Search), named("yahoo", "Yahoo", Search), plain("yandex", Search)];

const DOMAINS: &[(&str, Site)] = &[
    named("bing.com", "Bing", Search),
    named("duckduckgo.com", "DuckDuckGo", Search),
    plain("ask.com", Search),
    plain("baidu.com", Search),
    plain("coccoc.com", Search),
    plain("ecosia.org", Search),
    plain("go.mail.ru", Search),
    plain("kagi.com", Search),
    plain("lite.qwant.com", Search),
    plain("metager.de", Search),
    plain("mojeek.com", Search),
    plain("qwant.com", Search),
    plain("search.aol.com", Search),
    plain("search.brave.com", Search),
    plain("search.daum.net", Search),
    plain("search.lilo.org", Search),
    plain("search.naver.com", Search),
    plain("search.seznam.cz", Search),
    plain("so.com", Search),
    plain("sogou.com", Search),
    plain("startpage.com", Search),
    plain("swisscows.com", Search),
    plain("ya.ru", Search),
    named("facebook.com", "Facebook", Social),
    named("fb.com", "Facebook", Social),
    named("fb.me", "Facebook", Social),
    named("linkedin.com", "LinkedIn", Social),
    named("lnkd.in", "LinkedIn", Social),
    named("reddit.com", "Reddit", Social),
    named("redd.it", "Reddit", Social),
    named("t.co", "Twitter", Social),
    named("twitter.com", "Twitter", Social),
    named("x.com", "Twitter", Social),
    plain("bsky.app", Social),
    plain("dribbble.com", Social),
    plain("flickr.com", Social),
    plain("instagram.com", Social),
    plain("mastodon.social", Social),
    plain("messenger.com", Social),
    plain("mixi.jp", Social),
    plain("news.ycombinator.com", Social),
    plain("ok.ru", Social),
    plain("pin.it", Social),
    plain("pinterest.com", Social),
    plain("quora.com", Social),
    plain("snapchat.com", Social),
    plain("t.me", Social),
    plain("threads.com", Social),
    plain("threads.net", Social),
    plain("tiktok.com", Social),
    plain("tumblr.com", Social),
    plain("vk.com", Social),
    plain("web.telegram.org", Social),
    plain("weibo.com", Social),
    plain("xing.com", Social),
    plain("youtu.be", Social),
    plain("youtube.com", Social),
    named("gemini.google.com", "Google", Assistant),
    named("notebooklm.google.com", "Google", Assistant),
    plain("chat.deepseek.com", Assistant),
    plain("chat.mistral.ai", Assistant),
    plain("chat.openai.com", Assistant),
    plain("chat.qwen.ai", Assistant),
    plain("chatgpt.com", Assistant),
    plain("claude.ai", Assistant),
    plain("copilot.microsoft.com", Assistant),
    plain("grok.com", Assistant),
    plain("meta.ai", Assistant),
    plain("perplexity.ai", Assistant),
    plain("phind.com", Assistant),
    plain("poe.com", Assistant),
    plain("you.com", Assistant),
    named("github.com", "GitHub", Other),
];

static BY_DOMAIN: LazyLock<HashMap<&str, Site>> = LazyLock::new(|| DOMAINS.iter().copied().collect());

/// The known site that `host` (lower-case, without port) belongs to.
pub(crate) fn site_of(host: &str) -> Option<Site> {
    listed(host).or_else(|| under_any_suffix(host))
}

fn listed(host: &str) -> Option<Site> {
    let starts = std::iter::once(0).chain(host.match_indices('.').map(|(at, _)| at + 1));
    starts.filter_map(|start| host.get(start..)).find_map(|domain| BY_DOMAIN.get(domain).copied())
}

fn under_any_suffix(host: &str) -> Option<Site> {
    let domain = psl::domain(host.as_bytes())?;
    // Under a private suffix such as `github.io` anybody can register `google`.
    if domain.suffix().typ() != Some(psl::Type::Icann) {
        return None;
    }
    let registrable = std::str::from_utf8(domain.as_bytes()).ok()?;
    let (name, _) = registrable.split_once('.')?;
    UNDER_ANY_SUFFIX.iter().find(|(listed, _)| *listed == name).map(|(_, site)| *site)
}
