use std::time::Instant;
use mallard_event::*;
use super::fixture::Fixture;
use crate::TimeZone;
use crate::query::*;

fn day(day: i64, rows: u64, first_lsn: u64) -> Vec<Stored> {
    let mut seed = 42u64.wrapping_add(day as u64);
    let mut next = |n: u64| { seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); (seed >> 33) % n };
    (0..rows).map(|i| {
        let v = next(rows / 5);
        let at = day * 86_400_000_000 + (i * 86_400_000_000 / rows) as i64;
        let t = Timestamp::from_micros(at).unwrap();
        let zipf = { let a = next(500) + 1; next(a) };
        let event = Event {
            site: SiteId::parse("site").unwrap(),
            visitor: VisitorId::parse(&format!("{:016x}{:016x}", v.wrapping_mul(0x9E3779B97F4A7C15), v.wrapping_mul(0xD1B54A32D192ED03) ^ day as u64)).unwrap(),
            timestamp: t, name: EventName::parse(if next(10) == 0 { "signup" } else { "pageview" }).unwrap(),
            pathname: format!("/blog/some-article-{zipf}").into(), event_id: EventId::parse(&format!("{i:032}")).unwrap(),
            hostname: Some("example.com".into()), referrer: (v % 3 == 0).then(|| "https://www.google.com/".into()), referrer_source: (v % 3 == 0).then(|| ["Google", "Bing", "Hacker News"][(v % 7 % 3) as usize].into()),
            utm_source: None, utm_medium: None, utm_campaign: None, utm_content: None, utm_term: None,
            browser: Some(["Chrome", "Firefox", "Safari", "Edge"][(v % 4) as usize].into()), browser_version: Some("123.0".into()),
            os: Some(["Windows", "macOS", "Linux", "Android", "iOS"][(v % 5) as usize].into()), os_version: Some("10".into()),
            device_type: Some(["desktop", "mobile", "tablet"][(v % 3) as usize].into()), screen_size: Some("1920".into()),
            country_code: Some(["US", "DE", "FR", "IN", "BR", "JP"][(v % 6) as usize].into()), region: Some("California".into()), city: Some("San Francisco".into()),
            props: None, revenue_amount: None, revenue_currency: None, channel: Some("Direct".into()), user_hash: None, interactive: None, time_rounded: None,
        };
        Stored { lsn: Some(first_lsn + i), received_at: t, event }
    }).collect()
}

#[test]
fn measure() {
    let fixture = Fixture::new();
    const DAYS: i64 = 30;
    let rows: Vec<Stored> = (0..DAYS).flat_map(|d| day(d, 100_000, d as u64 * 100_000 + 1)).collect();
    let zone = TimeZone::get(&std::env::var("Z").unwrap_or("UTC".into())).unwrap();
    let q = |a: i64, b: i64| Question { site: SiteId::parse("site").unwrap(), span: Span { start_us: a * 86_400_000_000, end_us: b * 86_400_000_000 }, zone: zone.clone() };
    let site = q(0, 1).site;
    let files = fixture.snapshot(&site, &rows, &vec![1; rows.len()]);
    let split: Vec<usize> = (0..100_000).map(|i| i / 12_500 + 1).collect();
    let many = fixture.snapshot(&site, &rows[..100_000], &split);
    let tail = fixture.snapshot(&site, &rows[..50_000], &vec![0; 50_000]);
    println!("file bytes {}", std::fs::metadata(&files.days.values().next().unwrap().files[0].path).unwrap().len());
    let d = fixture.deadline();
    let time = |what: &str, run: &dyn Fn()| { let t = Instant::now(); run(); println!("{what}: {:?}", t.elapsed()); };
    let duck = &fixture.duck;
    let main = |s: &dyn Snapshot, a, b| { super::super::main(duck, s, &q(a, b), &d).unwrap(); };
    time("open duckdb (lease)", &|| drop(duck.pool.lease(&d).unwrap()));
    time("main 1 day, all facets, cold", &|| main(&files, 0, 1));
    time("main 1 day, all facets, cold, 2nd day", &|| main(&files, 1, 2));
    time("main again (cached)", &|| main(&files, 1, 2));
    time("main 8 files 1 day", &|| main(&many, 0, 1));
    time("main tail 50k", &|| main(&tail, 0, 1));
    let odd = |a, b| { let mut q = q(a, b); q.span.end_us -= 1; q };
    time("main 1 day no facets", &|| { super::super::main(duck, &files, &odd(3, 4), &d).unwrap(); });
    time("breakdown pages only", &|| { super::super::breakdown(duck, &files, &odd(3, 4), Dimension::Pages, 10, &d).unwrap(); });
    time("breakdown sources only", &|| { super::super::breakdown(duck, &files, &odd(3, 4), Dimension::Sources, 10, &d).unwrap(); });
    time("timeseries minute 1 day", &|| { super::super::timeseries(duck, &files, &q(3, 4), Interval::Minute, &d).unwrap(); });
    time("realtime main 5 minutes", &|| { let mut q = q(3, 4); q.span.start_us = q.span.end_us - 300_000_000; super::super::main(duck, &files, &q, &d).unwrap(); });
    time("main 30 days cold", &|| main(&files, 0, 30));
    time("main 30 days cached", &|| main(&files, 0, 30));
    for i in [Interval::Hour, Interval::Day, Interval::Week, Interval::Month] { time(&format!("timeseries {i:?} 30 days cached"), &|| { super::super::timeseries(duck, &files, &q(0, 30), i, &d).unwrap(); }); }
    for dim in [Dimension::Pages, Dimension::Sources, Dimension::Countries] { time(&format!("breakdown {dim:?} 30 days cached"), &|| { super::super::breakdown(duck, &files, &q(0, 30), dim, 10, &d).unwrap(); }); }
    for dim in [Dimension::Cities, Dimension::Channels] { time(&format!("breakdown {dim:?} 30 days cold"), &|| { super::super::breakdown(duck, &files, &q(0, 30), dim, 10, &d).unwrap(); }); }
    let paths: Vec<_> = files.days.values().flat_map(|d| d.files.iter().map(|f| f.path.clone())).collect();
    time("refresh views 30 files", &|| duck.refresh_views(&fixture.dir.path().join("mallard.duckdb"), &paths).unwrap());
    let mut copies = vec![];
    for i in 0..1000 { let p = fixture.dir.path().join(format!("events/c{i}.parquet")); std::fs::hard_link(&paths[i % 30], &p).unwrap(); copies.push(p); }
    time("refresh views 1000 files", &|| duck.refresh_views(&fixture.dir.path().join("mallard.duckdb"), &copies).unwrap());
}
