//! Two vocabularies: the short names and Plausible's.

use crate::accepted;

#[test]
fn the_long_names_mean_what_the_short_ones_mean() {
    let short = accepted(
        r#"{"d":"a.com","n":"buy","u":"https://a.com/x#y","r":"https://b.com/","w":800,"p":{"k":"v"},
            "ra":"1.5","rc":"eur","id":"one","i":true,"h":1}"#,
    );
    let long = accepted(
        r#"{"domain":"a.com","name":"buy","url":"https://a.com/x#y","referrer":"https://b.com/","screen_width":800,
            "props":{"k":"v"},"revenue":{"amount":1.5,"currency":"EUR"},"id":"one","interactive":true,"hashMode":true}"#,
    );
    assert!(short == long);
    assert_eq!(short.site.as_str(), "a.com");
    assert_eq!(short.name.as_str(), "buy");
    assert_eq!(short.url.pathname, "/x#y");
    assert_eq!(short.referrer.as_deref(), Some("https://b.com/"));
    assert_eq!(short.screen_width, Some(800));
    assert_eq!(short.props.unwrap().as_str(), r#"{"k":"v"}"#);
    assert_eq!(short.revenue_amount.unwrap().to_string(), "1.5000");
    assert_eq!(short.revenue_currency.unwrap().as_str(), "EUR");
    assert_eq!(short.id.unwrap().as_str(), "one");
    assert_eq!(short.interactive, Some(true));
}

#[test]
fn the_short_name_wins_in_either_order() {
    for body in [
        r#"{"d":"short","domain":"long","n":"s","name":"l","u":"/s","url":"/l","r":"s","referrer":"l","w":1,
            "screen_width":2,"i":true,"interactive":false,"h":1,"hashMode":0}"#,
        r#"{"domain":"long","d":"short","name":"l","n":"s","url":"/l","u":"/s","referrer":"l","r":"s","screen_width":2,
            "w":1,"interactive":false,"i":true,"hashMode":0,"h":1}"#,
    ] {
        let payload = accepted(body);
        assert_eq!((payload.site.as_str(), payload.name.as_str()), ("short", "s"));
        assert_eq!((payload.url.pathname.as_str(), payload.referrer.as_deref()), ("/s", Some("s")));
        assert_eq!((payload.screen_width, payload.interactive), (Some(1), Some(true)));
    }
}

#[test]
fn properties_have_four_names_in_one_order() {
    let mut names = vec!["meta", "m", "props", "p"];
    while let Some(best) = names.last() {
        let fields: Vec<_> = names.iter().map(|name| format!(r#""{name}":{{"from":"{name}"}}"#)).collect();
        let payload = accepted(&crate::body_with(&fields.join(",")));
        assert_eq!(payload.props.unwrap().as_str(), format!(r#"{{"from":"{best}"}}"#));
        names.pop();
    }
}

#[test]
fn a_null_short_name_leaves_the_word_to_the_long_one() {
    let payload = accepted(r#"{"d":null,"domain":"long","n":"b","u":"/","p":null,"props":{"k":"v"}}"#);
    assert_eq!(payload.site.as_str(), "long");
    assert!(payload.props.is_some());
}

#[test]
fn an_event_of_plausible_s_tracker_is_accepted() {
    let payload = accepted(r#"{"n":"engagement","sd":42,"d":"a.com","u":"https://a.com/","p":{},"e":1234,"v":28}"#);
    assert_eq!(payload.name.as_str(), "engagement");
    let payload = accepted(r#"{"n":"pageview","v":28,"u":"https://a.com/","d":"a.com","r":null,"i":false}"#);
    assert_eq!((payload.referrer, payload.interactive), (None, Some(false)));
}
