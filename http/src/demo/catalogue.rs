//! What the two demo sites look like: pages, sources, machines and countries, each with a weight.

/// A text with its share of the traffic.
pub(super) type Weighted<T> = (T, u32);

/// A demo site.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) id: &'static str,
    /// Share of all visits, of 100.
    pub(super) share: u32,
    pub(super) pages: &'static [Weighted<&'static str>],
    pub(super) sources: &'static [Weighted<Source>],
    pub(super) countries: &'static [Weighted<(&'static str, &'static str)>],
    /// Custom events with their chance per visit, of 1000; the amount in cents if it brings revenue.
    pub(super) goals: &'static [(&'static str, u32, Option<(u32, u32)>)],
}

/// How a visit began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) referrer: Option<&'static str>,
    pub(super) name: Option<&'static str>,
    pub(super) channel: &'static str,
    pub(super) campaign: Option<(&'static str, &'static str, &'static str)>,
}

/// A browser on an operating system on a screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub(super) browser: &'static str,
    pub(super) browser_version: &'static str,
    pub(super) os: &'static str,
    pub(super) os_version: &'static str,
    pub(super) screen: u32,
}

const fn referred(referrer: &'static str, name: &'static str, channel: &'static str) -> Source {
    Source { referrer: Some(referrer), name: Some(name), channel, campaign: None }
}

const DIRECT: Source = Source { referrer: None, name: None, channel: "Direct", campaign: None };
const GOOGLE: Source = referred("https://www.google.com/", "Google", "Organic Search");
const DUCKDUCKGO: Source = referred("https://duckduckgo.com/", "DuckDuckGo", "Organic Search");
const BING: Source = referred("https://www.bing.com/", "Bing", "Organic Search");
const GITHUB: Source = referred("https://github.com/mallard-metrics", "GitHub", "Referral");
const HACKER_NEWS: Source = referred("https://news.ycombinator.com/", "news.ycombinator.com", "Referral");
const REDDIT: Source = referred("https://www.reddit.com/r/selfhosted/", "Reddit", "Organic Social");
const LINKEDIN: Source = referred("https://www.linkedin.com/", "LinkedIn", "Organic Social");
const TWITTER: Source = referred("https://t.co/", "Twitter", "Organic Social");
const LOBSTERS: Source = referred("https://lobste.rs/", "lobste.rs", "Referral");
const NEWSLETTER: Source =
    Source { referrer: None, name: None, channel: "Email", campaign: Some(("newsletter", "email", "autumn-update")) };
const ADS: Source = Source {
    referrer: Some("https://www.google.com/"),
    name: Some("Google"),
    channel: "Paid Search",
    campaign: Some(("google", "cpc", "nest-boxes")),
};

/// The two sites of the demo.
pub(super) const SITES: &[Site] = &[
    Site {
        id: "mallard.example",
        share: 64,
        pages: &[
            ("/", 260),
            ("/docs/getting-started", 130),
            ("/docs/deploy/fly", 90),
            ("/docs/api", 64),
            ("/pricing", 60),
            ("/blog/never-lose-an-event", 150),
            ("/blog/analytics-in-one-binary", 80),
            ("/docs/configuration", 48),
            ("/docs/privacy", 40),
            ("/changelog", 34),
            ("/about", 22),
            ("/docs/backup", 18),
            ("/docs/dashboard", 16),
            ("/blog", 30),
            ("/security", 9),
        ],
        sources: &[
            (DIRECT, 290),
            (GOOGLE, 240),
            (HACKER_NEWS, 130),
            (GITHUB, 110),
            (REDDIT, 66),
            (DUCKDUCKGO, 48),
            (LOBSTERS, 30),
            (TWITTER, 26),
            (BING, 22),
            (LINKEDIN, 18),
            (NEWSLETTER, 20),
        ],
        countries: &[
            (("US", "Chicago"), 300),
            (("DE", "Berlin"), 160),
            (("GB", "London"), 100),
            (("FR", "Lyon"), 74),
            (("NL", "Utrecht"), 66),
            (("CA", "Toronto"), 58),
            (("IN", "Pune"), 52),
            (("SE", "Malmö"), 34),
            (("BR", "Recife"), 30),
            (("JP", "Osaka"), 28),
            (("AU", "Hobart"), 26),
            (("PL", "Gdańsk"), 20),
        ],
        goals: &[("Signup", 22, None), ("Outbound Link: Click", 60, None), ("File Download", 18, None)],
    },
    Site {
        id: "shop.example",
        share: 36,
        pages: &[
            ("/", 200),
            ("/collections/nest-boxes", 120),
            ("/products/cedar-nest-box", 110),
            ("/products/duck-feeder", 84),
            ("/products/pond-heater", 56),
            ("/cart", 64),
            ("/checkout", 36),
            ("/collections/feed", 44),
            ("/guides/keeping-ducks", 90),
            ("/guides/winter-care", 40),
            ("/contact", 14),
            ("/shipping", 20),
        ],
        sources: &[
            (GOOGLE, 330),
            (DIRECT, 240),
            (ADS, 120),
            (NEWSLETTER, 70),
            (BING, 40),
            (REDDIT, 36),
            (DUCKDUCKGO, 20),
            (TWITTER, 12),
        ],
        countries: &[
            (("GB", "Bristol"), 380),
            (("US", "Portland"), 240),
            (("IE", "Cork"), 90),
            (("DE", "Hamburg"), 60),
            (("FR", "Nantes"), 52),
            (("CA", "Halifax"), 44),
            (("NZ", "Nelson"), 20),
        ],
        goals: &[("Add to Cart", 90, None), ("Purchase", 21, Some((1_900, 14_900)))],
    },
];

/// What people browse with.
pub(super) const MACHINES: &[Weighted<Machine>] = &[
    (machine("Chrome", "131.0", "Windows", "10.0", 1920), 240),
    (machine("Safari", "18.1", "iOS", "18.1", 390), 220),
    (machine("Chrome", "131.0", "Android", "14", 412), 170),
    (machine("Chrome", "130.0", "macOS", "10.15.7", 1728), 110),
    (machine("Firefox", "133.0", "Linux", "", 2560), 70),
    (machine("Safari", "18.1", "macOS", "10.15.7", 1440), 64),
    (machine("Firefox", "132.0", "Windows", "10.0", 1536), 50),
    (machine("Edge", "131.0", "Windows", "10.0", 1920), 48),
    (machine("Samsung Internet", "26.0", "Android", "14", 384), 26),
    (machine("Safari", "17.6", "iOS", "17.6", 820), 22),
    (machine("Chrome", "129.0", "Chrome OS", "", 1366), 10),
];

const fn machine(
    browser: &'static str,
    browser_version: &'static str,
    os: &'static str,
    os_version: &'static str,
    screen: u32,
) -> Machine {
    Machine { browser, browser_version, os, os_version, screen }
}

/// Visits by hour of the day in UTC, of 1000: a European morning, an American evening.
pub(super) const HOURS: [u32; 24] =
    [22, 18, 16, 15, 16, 20, 28, 38, 48, 55, 58, 57, 54, 58, 64, 66, 64, 60, 54, 48, 44, 40, 33, 24];

/// Visits by day of the week, Monday first, of 100.
pub(super) const WEEKDAYS: [u32; 7] = [100, 106, 108, 104, 92, 62, 66];
