//! The sites that send visitors: how each is called in reports, and what kind of site it is.
//!
//! The names are those of CONTRACT §5.6, and so are the kinds of the sites that it names. Which other sites are search engines,
//! social networks and AI assistants is said by two lists: [`DOMAINS`], a few that people arrive from today, with everything
//! below them, and `sites.txt`, which `scripts/sources` makes of `SearchEngines.yml`, `Socials.yml` and `AIAssistants.yml` of
//! matomo-org/searchengine-and-social-list (CC0) before each release. Where both say something of a domain, the first counts;
//! of several domains that a host is in, the longest. Stored events keep what was true when they arrived.
//!
//! A host belongs to the longest listed domain that it equals or is below of, label by label: `m.facebook.com` is Facebook,
//! `notfacebook.com` and `facebook.com.evil.example` are not. Search engines of `sites.txt` are single hosts: what is below a
//! portal need not be a search.
//!
//! Both lists are one map, made at the first look-up; a look-up is one probe for each label of a host.

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

/// `search host`, `social .domain`, `search name.*` by lines.
const LISTED: &str = include_str!("sites.txt");

/// What is said of a domain.
#[derive(Clone, Copy, Debug)]
struct Entry {
    site: Site,
    /// Whether it holds for the hosts below it, too.
    is_below: bool,
}

/// What is said, by domain and by name under any public suffix.
#[derive(Debug, Default)]
struct Known {
    domains: HashMap<&'static str, Entry>,
    names: HashMap<&'static str, Site>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(Known::read);

impl Known {
    fn read() -> Self {
        let ours = DOMAINS.iter().map(|(domain, site)| (*domain, Entry { site: *site, is_below: true }));
        let mut known = Self { domains: ours.collect(), names: UNDER_ANY_SUFFIX.into_iter().collect() };
        for (kind, site) in LISTED.lines().filter_map(|line| line.split_once(' ')) {
            let kind = match kind {
                "assistant" => Assistant,
                "social" => Social,
                _ => Search,
            };
            known.add(kind, site);
        }
        known
    }

    /// Adds a line of the list. A host of a site that the contract names is called what that is called.
    fn add(&mut self, kind: Kind, site: &'static str) {
        if let Some(name) = site.strip_suffix(".*") {
            self.names.entry(name).or_insert(Site { name: None, kind });
            return;
        }
        let (domain, is_below) = site.strip_prefix('.').map_or((site, false), |domain| (domain, true));
        let name =
            DOMAINS.iter().filter(|(listed, _)| is_below_of(domain, listed)).max_by_key(|(listed, _)| listed.len());
        let name = match name {
            Some((_, site)) => site.name,
            None => self.under_any_suffix(domain).and_then(|site| site.name),
        };
        self.domains.entry(domain).or_insert(Entry { site: Site { name, kind }, is_below });
    }

    fn site_of(&self, host: &str) -> Option<Site> {
        self.listed(host).or_else(|| self.under_any_suffix(host))
    }

    fn listed(&self, host: &str) -> Option<Site> {
        let starts = std::iter::once(0).chain(host.match_indices('.').map(|(at, _)| at + 1));
        starts
            .filter_map(|start| Some((start, self.domains.get(host.get(start..)?)?)))
            .find_map(|(start, entry)| (start == 0 || entry.is_below).then_some(entry.site))
    }

    fn under_any_suffix(&self, host: &str) -> Option<Site> {
        // Most hosts have none of the names, and need no look at the list of suffixes.
        if !host.split('.').any(|label| self.names.contains_key(label)) {
            return None;
        }
        let domain = psl::domain(host.as_bytes())?;
        // Under a private suffix such as `github.io` anybody can register `google`.
        if domain.suffix().typ() != Some(psl::Type::Icann) {
            return None;
        }
        let registrable = std::str::from_utf8(domain.as_bytes()).ok()?;
        let (name, _) = registrable.split_once('.')?;
        self.names.get(name).copied()
    }
}

/// Whether `host` is `domain` or below it.
fn is_below_of(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The known site that `host` (lower-case, without port) belongs to.
pub(crate) fn site_of(host: &str) -> Option<Site> {
    KNOWN.site_of(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str) -> Option<(Option<&'static str>, Kind)> {
        site_of(host).map(|site| (site.name, site.kind))
    }

    #[test]
    fn every_line_of_the_list_says_something_and_they_are_in_order() {
        let lines: Vec<&str> = LISTED.lines().collect();
        assert!(lines.len() > 700 && lines.is_sorted(), "{}", lines.len());
        for line in lines {
            let (kind, site) = line.split_once(' ').unwrap();
            assert!(["assistant", "search", "social"].contains(&kind), "{line}");
            let host = site.trim_start_matches('.').replace(".*", ".com");
            assert!(of(&host).is_some() && host == host.to_lowercase() && !host.starts_with("www."), "{line}");
        }
    }

    #[test]
    fn what_the_contract_names_keeps_its_name_and_kind_whatever_the_list_says() {
        assert_eq!(of("github.com"), Some((Some("GitHub"), Other)), "the list calls it a social network");
        assert_eq!(of("facebook.com"), Some((Some("Facebook"), Social)), "and this a search engine");
        assert_eq!(of("l.facebook.com"), Some((Some("Facebook"), Social)));
        assert_eq!(of("search.yahoo.com"), Some((Some("Yahoo"), Search)));
        assert_eq!(of("news.google.co.uk"), Some((Some("Google"), Search)));
        assert_eq!(of("gemini.google.com"), Some((Some("Google"), Assistant)));
    }

    #[test]
    fn a_search_engine_of_the_list_is_a_host_and_the_others_are_domains() {
        assert_eq!(of("web.archive.org"), None);
        assert_eq!(of("search.gmx.com"), Some((None, Search)));
        assert_eq!(of("mail.search.gmx.com"), None, "what is below a portal need not be a search");
        assert_eq!(of("de.lycos.com"), Some((None, Search)));
        assert_eq!(of("news.badoo.com"), Some((None, Social)));
        assert_eq!(of("notbadoo.com"), None);
        assert_eq!(of("chatglm.cn"), Some((None, Assistant)));
        assert_eq!(of("google.github.io"), None, "anybody can register that");
    }
}
