//! The rules of the plain fields.

use mallard_event::payload::PayloadErrorKind::{Invalid, WrongType};

use crate::{accepted, accepted_with, assert_refused, assert_refused_with};

#[test]
fn the_site_is_1_to_256_of_its_alphabet() {
    for site in ["a", "example.com", "localhost:3000", "..", "a..b", "A_b-C", &"x".repeat(256)] {
        assert_eq!(accepted(&format!(r#"{{"d":"{site}","n":"b","u":"/"}}"#)).site.as_str(), site);
    }
    let rule = "d (domain) must be 1 to 256 of A-Z a-z 0-9 . _ : -";
    for site in ["", " ", "a b", "a/b", "https://a.com", "ü.de", "a~b", &"x".repeat(257)] {
        assert_refused(&format!(r#"{{"d":"{site}","n":"b","u":"/"}}"#), Invalid, rule);
    }
    assert_refused(r#"{"d":"a.com,b.com","n":"b","u":"/"}"#, Invalid, "d (domain) must be one site, not a list");
    for site in ["5", "true", "[]", "{}"] {
        assert_refused(&format!(r#"{{"d":{site},"n":"b","u":"/"}}"#), WrongType, "d (domain) must be a string");
    }
}

#[test]
fn the_name_is_1_to_256_bytes() {
    for name in ["pageview", "Outbound Link: Click", "käufe", &"x".repeat(256), &"é".repeat(128)] {
        assert_eq!(accepted(&format!(r#"{{"d":"a","n":"{name}","u":"/"}}"#)).name.as_str(), name);
    }
    for name in ["", &"x".repeat(257), &"é".repeat(129)] {
        let body = format!(r#"{{"d":"a","n":"{name}","u":"/"}}"#);
        assert_refused(&body, Invalid, "n (name) must be 1 to 256 bytes of text");
    }
    assert_refused(r#"{"d":"a","n":5,"u":"/"}"#, WrongType, "n (name) must be a string");
}

#[test]
fn the_url_is_1_to_2048_bytes() {
    let longest = format!("https://a.com/{}", "x".repeat(2048 - 14));
    for url in ["/", "x", "https://a.com", &longest] {
        accepted(&format!(r#"{{"d":"a","n":"b","u":"{url}"}}"#));
    }
    for url in ["", &format!("{longest}x")] {
        assert_refused(&format!(r#"{{"d":"a","n":"b","u":"{url}"}}"#), Invalid, "u (url) must be 1 to 2048 bytes");
    }
    assert_refused(r#"{"d":"a","n":"b","u":["/"]}"#, WrongType, "u (url) must be a string");
}

#[test]
fn the_url_is_the_address_of_a_page() {
    for url in [
        "data:text/html,x",
        "javascript:alert(1)",
        "blob:https://a.com/1",
        "DATA:x",
        "  JavaScript:x",
        "java\\nscript:x",
        "\\u0001data:x",
    ] {
        let body = format!(r#"{{"d":"a","n":"b","u":"{url}"}}"#);
        assert_refused(&body, Invalid, "u (url) must be the address of a page, not data:, javascript: or blob:");
    }
    for url in ["https://a.com/data:x", "/javascript:x", "file:///a", "app://x/y", "database:x", "?u=data:x"] {
        accepted(&format!(r#"{{"d":"a","n":"b","u":"{url}"}}"#));
    }
}

#[test]
fn the_referrer_is_at_most_2048_bytes_without_control_characters() {
    let longest = "x".repeat(2048);
    for (sent, kept) in [
        (r#""https://b.com/x?y#z""#, Some("https://b.com/x?y#z")),
        (r#""a\nb\u0000c""#, Some("abc")),
        (r#""""#, None),
        ("null", None),
        (&format!("\"{longest}\""), Some(longest.as_str())),
    ] {
        assert_eq!(accepted_with(&format!(r#""r":{sent}"#)).referrer.as_deref(), kept, "{sent}");
    }
    assert_refused_with(&format!(r#""r":"{longest}x""#), Invalid, "r (referrer) must be at most 2048 bytes");
    assert_refused_with(r#""r":false"#, WrongType, "r (referrer) must be a string");
}

#[test]
fn the_screen_width_is_a_whole_number() {
    for (sent, width) in [("0", Some(0)), ("1920", Some(1920)), ("4294967295", Some(u32::MAX)), ("null", None)] {
        assert_eq!(accepted_with(&format!(r#""w":{sent}"#)).screen_width, width);
    }
    for sent in ["-1", "4294967296", "1.5", "1e3", "\"1920\"", "true", "{}"] {
        let rule = "w (screen_width) must be a whole number of 0 to 4294967295";
        assert_refused_with(&format!(r#""w":{sent}"#), WrongType, rule);
    }
}

#[test]
fn the_id_is_1_to_64_visible_ascii_characters() {
    for id in ["x", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "!#~", &"x".repeat(64)] {
        assert_eq!(accepted_with(&format!(r#""id":"{id}""#)).id.unwrap().as_str(), id);
    }
    assert_eq!(accepted_with(r#""id":null"#).id, None);
    for id in ["", "a b", "é", "a\\n", &"x".repeat(65)] {
        assert_refused_with(&format!(r#""id":"{id}""#), Invalid, "id must be 1 to 64 visible ASCII characters");
    }
    assert_refused_with(r#""id":17"#, WrongType, "id must be a string");
}

#[test]
fn interactive_is_true_or_false() {
    for (sent, value) in [("true", Some(true)), ("false", Some(false)), ("null", None)] {
        assert_eq!(accepted_with(&format!(r#""i":{sent}"#)).interactive, value);
    }
    for sent in ["1", "0", "\"true\"", "{}"] {
        assert_refused_with(&format!(r#""i":{sent}"#), WrongType, "i (interactive) must be true or false");
    }
}

#[test]
fn hash_mode_puts_the_fragment_into_the_path() {
    let path = |h: &str| accepted(&format!(r#"{{"d":"a","n":"b","u":"https://a.com/x?y=1#/z","h":{h}}}"#)).url.pathname;
    for h in ["1", "true"] {
        assert_eq!(path(h), "/x#/z");
    }
    for h in ["0", "false", "null"] {
        assert_eq!(path(h), "/x");
    }
    for h in ["2", "\"1\"", "[]"] {
        assert_refused_with(&format!(r#""h":{h}"#), WrongType, "h (hashMode) must be true, false, 1 or 0");
    }
}
