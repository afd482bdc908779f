//! The address of a page, taken apart.

use mallard_event::payload::{PageUrl, plain_parts};
use proptest::prelude::*;
use url::Url;

fn page(text: &str) -> PageUrl {
    PageUrl::parse(text, false)
}

#[test]
fn the_path_has_no_query_and_no_fragment() {
    for (text, pathname) in [
        ("https://a.com", "/"),
        ("https://a.com/", "/"),
        ("https://a.com/x/y?z=1#f", "/x/y"),
        ("https://a.com?z=/1#f", "/"),
        ("https://a.com#/f", "/"),
        ("https://a.com/a b/ü", "/a%20b/%C3%BC"),
        ("https://a.com/x/../y/./z", "/y/z"),
        ("https://a.com/a\nb\u{0}c\u{7f}", "/abc"),
        ("  https://a.com/x  ", "/x"),
        ("file:///home/x", "/home/x"),
        ("app://screen/one", "/one"),
    ] {
        assert_eq!(page(text).pathname, pathname, "{text:?}");
    }
}

#[test]
fn text_without_a_scheme_has_its_path_from_the_first_slash() {
    for (text, pathname) in [
        ("/x/y?z#f", "/x/y"),
        ("a.com/x", "/x"),
        ("a.com", "/"),
        ("a.com?to=/x", "/"),
        ("", "/"),
        ("?", "/"),
        ("#/x", "/"),
        ("//a.com/x", "//a.com/x"),
        ("localhost:8080/x", "/x"),
        ("mailto:a@b.com", "/"),
        ("/a/http://b.com/c", "/a/http://b.com/c"),
        ("https://a b.com/x", "/x"),
        ("https://[broken/x", "/x"),
        ("https://", "/"),
    ] {
        let page = page(text);
        assert_eq!((page.pathname.as_str(), page.hostname), (pathname, None), "{text:?}");
    }
}

#[test]
fn the_host_is_in_lower_case_without_port_and_credentials() {
    for (text, hostname) in [
        ("https://Shop.Example.COM:8443/x", Some("shop.example.com")),
        ("http://user:secret@a.com/", Some("a.com")),
        ("http://192.0.2.1:80/", Some("192.0.2.1")),
        ("http://[2001:DB8::1]:80/", Some("[2001:db8::1]")),
        ("https://bücher.de/", Some("xn--bcher-kva.de")),
        ("APP://Screen/one", Some("screen")),
        ("file:///x", None),
    ] {
        assert_eq!(page(text).hostname.as_deref(), hostname, "{text:?}");
    }
}

#[test]
fn campaign_parameters_are_decoded() {
    let page = page(
        "https://a.com/?utm_source=news+letter&utm_medium=e%2Dmail&utm_campaign=a%20b&utm_content=%C3%BC&utm_term=x%26y#frag",
    );
    assert_eq!(page.utm.source.as_deref(), Some("news letter"));
    assert_eq!(page.utm.medium.as_deref(), Some("e-mail"));
    assert_eq!(page.utm.campaign.as_deref(), Some("a b"));
    assert_eq!(page.utm.content.as_deref(), Some("ü"));
    assert_eq!(page.utm.term.as_deref(), Some("x&y"));
}

#[test]
fn the_fragment_is_cut_before_the_query_is_read() {
    assert_eq!(page("https://a.com/?utm_campaign=a%20b#frag").utm.campaign.as_deref(), Some("a b"));
    assert_eq!(page("https://a.com/#?utm_source=x").utm.source, None);
    assert_eq!(page("/x?utm_source=y#z").utm.source.as_deref(), Some("y"));
}

#[test]
fn an_empty_campaign_parameter_is_skipped_and_the_last_of_two_wins() {
    let source = |query: &str| page(&format!("https://a.com/?{query}")).utm.source;
    assert_eq!(source("utm_source=a&utm_source=b").as_deref(), Some("b"));
    assert_eq!(source("utm_source=a&utm_source=").as_deref(), Some("a"));
    assert_eq!(source("utm_source=a&utm_source").as_deref(), Some("a"));
    assert_eq!(source("utm_source=%00"), None);
    assert_eq!(source("UTM_SOURCE=a"), None);
}

#[test]
fn long_parts_are_cut_by_characters() {
    let page = page(&format!("/{}?utm_term={}", "é".repeat(3000), "é".repeat(300)));
    assert_eq!(page.pathname.chars().count(), 2048);
    assert_eq!(page.utm.term.unwrap(), "é".repeat(256));
}

#[test]
fn click_ids_of_advertisements_are_seen_but_not_kept() {
    for (query, has_click_id) in
        [("gclid=1", true), ("a=b&msclkid=x", true), ("gclid=", false), ("fbclid=1", false), ("", false)]
    {
        assert_eq!(page(&format!("https://a.com/?{query}")).has_click_id, has_click_id, "{query}");
    }
}

#[test]
fn in_hash_mode_the_fragment_is_a_part_of_the_path() {
    for (text, pathname) in [
        ("https://a.com/#/route/x", "/#/route/x"),
        ("https://a.com/app?q=1#top", "/app#top"),
        ("https://a.com/app#", "/app"),
        ("https://a.com/app", "/app"),
        ("/x#y#z", "/x#y#z"),
    ] {
        assert_eq!(PageUrl::parse(text, true).pathname, pathname, "{text:?}");
    }
}

proptest! {
    /// Addresses near the edge of what needs no parser: the parser finds the same host and path in what is called plain.
    #[test]
    fn what_is_called_plain_is_what_the_parser_would_make_of_it(
        address in "https?://(?s:[a-z0-9.-]{1,12}|[a-zA-Z0-9.:@\\[\\]%_é-]{0,12})(/[a-zA-Z0-9/._~!$&'()*+,;=:@-]{0,14}|/(?s:.){0,6}|)",
    ) {
        if let Some((host, path)) = plain_parts(&address) {
            let url = Url::parse(&address).unwrap();
            prop_assert_eq!((url.host_str().unwrap(), url.path()), (host, path));
            prop_assert_eq!((url.port(), url.query(), url.fragment(), url.username()), (None, None, None, ""));
        }
    }
}

#[test]
fn common_addresses_are_plain() {
    assert_eq!(plain_parts("https://shop.example/a/b-c_1.html"), Some(("shop.example", "/a/b-c_1.html")));
    assert_eq!(plain_parts("http://www.google.co.uk"), Some(("www.google.co.uk", "/")));
    for other in ["HTTPS://a.example/", "https://A.example/", "https://a.example:8080/", "https://127.0.0.1/", "/a"] {
        assert_eq!(plain_parts(other), None, "{other}");
    }
}
