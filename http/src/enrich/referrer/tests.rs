use super::*;

fn source(referrer: &str) -> Option<String> {
    let referral = Referral::of(referrer, &["shop.example", "shop.example"])?;
    Some(referral.into_source().into())
}

#[test]
fn names_are_found_on_domain_boundaries_only() {
    let cases = [
        ("https://www.google.com/", "Google"),
        ("https://google.co.uk/search?q=a", "Google"),
        ("https://www.google.com.br/", "Google"),
        ("https://news.google.de/", "Google"),
        ("https://GOOGLE.com:443/", "Google"),
        ("https://google.com./", "Google"),
        ("https://google.com.evil.com/", "google.com.evil.com"),
        ("https://notgoogle.com/", "notgoogle.com"),
        ("https://google.evil.com/", "google.evil.com"),
        ("https://google.github.io/", "google.github.io"),
        ("https://google.us.com/", "google.us.com"),
        ("https://google.nosuchsuffix/", "google.nosuchsuffix"),
        ("https://google/", "google"),
        ("https://www.bing.com/search", "Bing"),
        ("https://plumbing.com/", "plumbing.com"),
        ("https://search.yahoo.co.jp/", "Yahoo"),
        ("https://fr.yahoo.com/", "Yahoo"),
        ("https://duckduckgo.com/", "DuckDuckGo"),
        ("https://html.duckduckgo.com/html", "DuckDuckGo"),
        ("https://twitter.com/a", "Twitter"),
        ("https://mobile.twitter.com/a", "Twitter"),
        ("https://x.com/a", "Twitter"),
        ("https://t.co/abc", "Twitter"),
        ("https://netflix.com/", "netflix.com"),
        ("https://at.co/", "at.co"),
        ("https://www.facebook.com/", "Facebook"),
        ("https://m.facebook.com/", "Facebook"),
        ("https://l.facebook.com/l.php?u=x", "Facebook"),
        ("https://fb.com/", "Facebook"),
        ("https://fb.me/x", "Facebook"),
        ("https://www.linkedin.com/feed/", "LinkedIn"),
        ("https://lnkd.in/x", "LinkedIn"),
        ("https://old.reddit.com/r/rust", "Reddit"),
        ("https://redd.it/x", "Reddit"),
        ("https://github.com/a/b", "GitHub"),
        ("https://gist.github.com/a", "GitHub"),
        ("https://x.github.io/page", "x.github.io"),
        ("https://gemini.google.com/app", "Google"),
        ("https://chatgpt.com/", "chatgpt.com"),
        ("https://www.Example.ORG:8443/a?b#c", "example.org"),
        ("http://192.0.2.7:3000/", "192.0.2.7"),
        ("http://[2001:db8::1]:3000/", "[2001:db8::1]"),
        ("https://b\u{fc}cher.example/", "xn--bcher-kva.example"),
        ("android-app://com.example.reader/", "com.example.reader"),
    ];
    for (referrer, expected) in cases {
        assert_eq!(source(referrer).as_deref(), Some(expected), "{referrer}");
    }
}

#[test]
fn the_site_itself_is_no_source() {
    let cases: &[(&str, &[&str])] = &[
        ("https://shop.example/cart", &["shop.example", "other"]),
        ("https://www.shop.example/", &["other", "shop.example"]),
        ("https://shop.example/", &["www.shop.example", "other"]),
        ("https://SHOP.example:8080/", &["other", "Shop.Example"]),
        ("http://localhost:3000/", &["other", "localhost:3000"]),
    ];
    for (referrer, own) in cases {
        assert_eq!(external_host(referrer, own), None, "{referrer}");
    }
    assert_eq!(source("https://blog.shop.example/").as_deref(), Some("blog.shop.example"));
}

#[test]
fn a_text_without_a_host_has_no_source() {
    for referrer in ["", "google.com", "/cart", "about:blank", "mailto:a@b.example", "data:,a", "not a url"] {
        assert_eq!(source(referrer), None, "{referrer}");
    }
}

#[test]
fn a_referrer_can_be_cut_before_what_may_name_a_person() {
    assert_eq!(without_query("https://a.example/p?q=jane#x"), "https://a.example/p");
    assert_eq!(without_query("https://a.example/p#jane?x"), "https://a.example/p");
    assert_eq!(without_query("https://a.example/p"), "https://a.example/p");
}
