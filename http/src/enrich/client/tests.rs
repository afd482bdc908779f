use hyper::header::{HeaderName, HeaderValue};

use super::*;

/// Names and values.
type Lines<'a> = &'a [(&'a str, &'a str)];

fn headers(lines: Lines<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn address(peer: &str, lines: Lines<'_>, is_on_fly: bool) -> String {
    let trusted = TrustedProxies::parse("loopback,private,198.51.100.0/24").unwrap();
    client_address(peer.parse().unwrap(), &headers(lines), &trusted, is_on_fly).to_string()
}

const PROXY: &str = "10.0.0.1";

#[test]
fn an_untrusted_peer_cannot_claim_another_address() {
    let claims = [
        ("x-forwarded-for", "1.1.1.1"),
        ("x-real-ip", "1.1.1.1"),
        ("fly-client-ip", "1.1.1.1"),
        ("forwarded", "for=1.1.1.1"),
    ];
    for is_on_fly in [false, true] {
        assert_eq!(address("203.0.113.5", &claims, is_on_fly), "203.0.113.5");
    }
}

#[test]
fn behind_a_proxy_the_rightmost_untrusted_entry_counts() {
    let cases: &[(&[&str], &str)] = &[
        (&["203.0.113.5"], "203.0.113.5"),
        (&["1.1.1.1, 203.0.113.5"], "203.0.113.5"),
        (&["1.1.1.1, 203.0.113.5, 192.168.0.7"], "203.0.113.5"),
        (&["1.1.1.1, 203.0.113.5, 198.51.100.4, 10.2.3.4"], "203.0.113.5"),
        (&["1.1.1.1", "203.0.113.5", "10.2.3.4"], "203.0.113.5"),
        (&["1.1.1.1,203.0.113.5"], "203.0.113.5"),
        (&["\t203.0.113.5 "], "203.0.113.5"),
    ];
    for (lines, expected) in cases {
        let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        assert_eq!(address(PROXY, &lines, false), *expected, "{lines:?}");
    }
}

#[test]
fn ports_and_brackets_are_cut_and_mapped_addresses_become_ipv4() {
    let cases = [
        ("203.0.113.5:4711", "203.0.113.5"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:DB8:0:0:0:0:0:7", "2001:db8::7"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("[::ffff:203.0.113.5]:80", "203.0.113.5"),
    ];
    for (entry, expected) in cases {
        assert_eq!(address(PROXY, &[("x-forwarded-for", entry)], false), expected, "{entry}");
    }
    assert_eq!(address("::ffff:203.0.113.5", &[], false), "203.0.113.5");
    assert_eq!(address("::ffff:10.0.0.1", &[("x-forwarded-for", "203.0.113.5")], false), "203.0.113.5");
}

#[test]
fn an_entry_that_is_no_address_ends_the_walk_at_the_last_good_one() {
    let cases = [
        ("203.0.113.5, unknown", PROXY),
        ("203.0.113.5, unknown, 192.168.0.7", "192.168.0.7"),
        ("203.0.113.5, example.org, 198.51.100.1, 192.168.0.7", "198.51.100.1"),
        ("203.0.113.5,", PROXY),
        ("203.0.113.5, ,192.168.0.7", "192.168.0.7"),
        ("203.0.113.5, _hidden", PROXY),
        ("203.0.113.5, 1.2.3.4.5", PROXY),
        ("203.0.113.5, 1.2.3.4:99999", PROXY),
        ("203.0.113.5, caf\u{e9}", PROXY),
        ("", PROXY),
    ];
    for (list, expected) in cases {
        assert_eq!(address(PROXY, &[("x-forwarded-for", list)], false), expected, "{list}");
    }
}

#[test]
fn when_every_entry_is_trusted_the_leftmost_counts() {
    assert_eq!(address(PROXY, &[("x-forwarded-for", "192.168.5.5, 10.2.3.4")], false), "192.168.5.5");
}

#[test]
fn without_a_list_a_trusted_proxy_may_use_x_real_ip() {
    assert_eq!(address(PROXY, &[("x-real-ip", "203.0.113.5")], false), "203.0.113.5");
    assert_eq!(address(PROXY, &[("x-real-ip", "nonsense")], false), PROXY);
    let both = [("x-real-ip", "203.0.113.9"), ("x-forwarded-for", "203.0.113.5")];
    assert_eq!(address(PROXY, &both, false), "203.0.113.5");
    assert_eq!(address(PROXY, &[], false), PROXY);
}

#[test]
fn on_fly_its_own_header_counts_and_the_list_is_the_clients_claim() {
    let lines = [("fly-client-ip", "203.0.113.5"), ("x-forwarded-for", "1.1.1.1, 203.0.113.5, 66.241.0.1")];
    assert_eq!(address(PROXY, &lines, true), "203.0.113.5");
    let v6 = [("fly-client-ip", "2001:db8::9"), ("x-forwarded-for", "1.1.1.1")];
    assert_eq!(address("fdaa::3", &v6, true), "2001:db8::9");
}

#[test]
fn on_fly_a_trusted_proxy_before_fly_is_looked_through() {
    let cases = [
        ("203.0.113.5, 198.51.100.4, 66.241.0.1", "203.0.113.5"),
        ("1.1.1.1, 203.0.113.5, 198.51.100.9, 198.51.100.4, 66.241.0.1", "203.0.113.5"),
        ("unknown, 198.51.100.4, 66.241.0.1", "198.51.100.4"),
        ("203.0.113.5, 66.241.0.1", "198.51.100.4"),
        ("", "198.51.100.4"),
    ];
    for (list, expected) in cases {
        let lines = [("fly-client-ip", "198.51.100.4"), ("x-forwarded-for", list)];
        assert_eq!(address(PROXY, &lines, true), expected, "{list}");
    }
}

#[test]
fn on_fly_a_request_that_did_not_pass_its_proxy_is_walked_like_any_other() {
    assert_eq!(address("fdaa::3", &[("x-forwarded-for", "203.0.113.5")], true), "203.0.113.5");
    assert_eq!(address("fdaa::3", &[], true), "fdaa::3");
}

#[test]
fn elsewhere_the_fly_header_means_nothing() {
    let lines = [("fly-client-ip", "1.1.1.1"), ("x-forwarded-for", "203.0.113.5")];
    assert_eq!(address(PROXY, &lines, false), "203.0.113.5");
}

#[test]
fn only_a_loopback_peer_with_a_loopback_host_and_no_proxy_header_is_direct() {
    let cases: &[(&str, Lines<'_>, bool)] = &[
        ("127.0.0.1", &[("host", "localhost:8000")], true),
        ("127.0.0.1", &[("host", "LOCALHOST")], true),
        ("127.0.0.1", &[("host", "127.0.0.1:8000")], true),
        ("::1", &[("host", "[::1]:8000")], true),
        ("::ffff:127.0.0.1", &[("host", "127.0.0.1")], true),
        ("10.0.0.1", &[("host", "localhost")], false),
        ("127.0.0.1", &[], false),
        ("127.0.0.1", &[("host", "rebound.example:8000")], false),
        ("127.0.0.1", &[("host", "localhost.evil.example")], false),
        ("127.0.0.1", &[("host", "localhost"), ("host", "evil.example")], false),
        ("127.0.0.1", &[("host", "localhost"), ("forwarded", "for=1.1.1.1")], false),
        ("127.0.0.1", &[("host", "localhost"), ("x-forwarded-for", "1.1.1.1")], false),
        ("127.0.0.1", &[("host", "localhost"), ("x-forwarded-proto", "https")], false),
        ("127.0.0.1", &[("host", "localhost"), ("x-real-ip", "1.1.1.1")], false),
        ("127.0.0.1", &[("host", "localhost"), ("via", "1.1 proxy")], false),
        ("127.0.0.1", &[("host", "localhost"), ("fly-request-id", "01")], false),
    ];
    for (peer, lines, expected) in cases {
        assert_eq!(is_direct_loopback(peer.parse().unwrap(), &headers(lines)), *expected, "{peer} {lines:?}");
    }
}
