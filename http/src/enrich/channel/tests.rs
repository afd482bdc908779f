use smol_str::SmolStr;

use super::*;

/// Referrer host, `utm_source`, `utm_medium`; empty is absent.
fn of(referrer: &str, source: &str, medium: &str) -> &'static str {
    let [referrer_host, utm_source, utm_medium] =
        [referrer, source, medium].map(|text| Some(text).filter(|text| !text.is_empty()));
    let is_tagged = utm_source.is_some() || utm_medium.is_some();
    let referral = referrer_host.map(|host| Referral::from(SmolStr::new(host)));
    channel(&Arrival { utm_source, utm_medium, is_tagged, has_click_id: false, referral: referral.as_ref() })
}

#[test]
fn the_first_rule_that_matches_names_the_channel() {
    let cases = [
        ("google.com", "", "cpc", "Paid Search"),
        ("", "google", "cpc", "Paid Search"),
        ("", "Google", "PPC", "Paid Search"),
        ("", "bing.com", "paidsearch", "Paid Search"),
        ("facebook.com", "", "paid", "Paid Social"),
        ("", "facebook", "paid_social", "Paid Social"),
        ("", "fb", "cpc", "Paid Social"),
        ("news.example", "partner", "cpc", "Paid Other"),
        ("", "", "paid-video", "Paid Other"),
        ("chatgpt.com", "", "cpc", "Paid Other"),
        ("google.com", "", "display", "Display"),
        ("", "google", "banner", "Display"),
        ("", "", "CPM", "Display"),
        ("", "", "email", "Email"),
        ("", "newsletter", "", "Email"),
        ("facebook.com", "Newsletter", "link", "Email"),
        ("", "october", "newsletter", "Email"),
        ("", "email", "affiliate", "Email"),
        ("google.com", "", "affiliate", "Affiliates"),
        ("google.com", "", "", "Organic Search"),
        ("google.co.uk", "", "", "Organic Search"),
        ("search.brave.com", "", "", "Organic Search"),
        ("yandex.com.tr", "", "", "Organic Search"),
        ("google.com", "spring-sale", "", "Organic Search"),
        ("", "duckduckgo.com", "", "Organic Search"),
        ("m.facebook.com", "", "", "Organic Social"),
        ("t.co", "", "", "Organic Social"),
        ("news.ycombinator.com", "", "", "Organic Social"),
        ("blog.example", "", "social", "Organic Social"),
        ("google.com", "linkedin", "", "Organic Social"),
        ("chatgpt.com", "", "", "AI Assistants"),
        ("", "chatgpt.com", "", "AI Assistants"),
        ("gemini.google.com", "", "", "AI Assistants"),
        ("copilot.microsoft.com", "", "", "AI Assistants"),
        ("perplexity.ai", "", "", "AI Assistants"),
        ("blog.example", "partner", "link", "Campaign"),
        ("", "partner", "", "Campaign"),
        ("blog.example", "", "", "Referral"),
        ("github.com", "", "", "Referral"),
        ("plumbing.com", "", "", "Referral"),
        ("brave.com", "", "", "Referral"),
        ("", "", "", "Direct"),
    ];
    for (referrer, source, medium, expected) in cases {
        assert_eq!(of(referrer, source, medium), expected, "{referrer:?} {source:?} {medium:?}");
    }
}

#[test]
fn a_click_id_is_paid_search_whatever_else_is_said() {
    for (referrer_host, utm_medium) in [(None, None), (Some("facebook.com"), None), (Some("google.com"), Some("email"))]
    {
        let referral = referrer_host.map(|host| Referral::from(SmolStr::new(host)));
        let referral = referral.as_ref();
        let arrival = Arrival { referral, utm_medium, has_click_id: true, ..Arrival::default() };
        assert_eq!(channel(&arrival), "Paid Search");
    }
}

#[test]
fn any_utm_parameter_makes_a_campaign() {
    let arrival = Arrival { is_tagged: true, ..Arrival::default() };
    assert_eq!(channel(&arrival), "Campaign");
}
