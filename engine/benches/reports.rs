//! Every report over a million events in thirty days, with one thread and 64 MB of memory for DuckDB: the time of each
//! and the most memory that the process held meanwhile. `cargo bench --workspace --bench reports`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark measures time, prints figures and ends when something fails"
)]

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use mallard_engine::env::{self, Env};
use mallard_engine::{
    Answer, Cancel, Config, Dimension, Direction, Engine, Filter, Funnel, FunnelStep, Grouping, Interval, Journey, Key,
    Pick, QueryError, Question, Span, Sql, SqlCancel, SqlPart, Step, Subject, Term, TimeZone,
};
use mallard_event::{Amount, Currency, Event, EventId, EventName, Props, SiteId, Stored, Timestamp, VisitorId};
use mallard_wal::disk::sim::{SimClock, SimRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 1_000_000;
const DAYS: u64 = 30;
const EVENTS_PER_DAY: u64 = EVENTS.div_ceil(DAYS);
const VISITORS_PER_DAY: u64 = 8_000;
const BATCH: u64 = 500;
const DAY_US: u64 = 86_400_000_000;
/// 2024-01-01T00:00:00Z.
const START_US: u64 = 1_704_067_200_000_000;
/// The limits are the product's; only nobody is refused an answer for being slow on a shared machine.
const TIMEOUT_US: i64 = 600_000_000;

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = Arc::new(SimClock::default());
    clock.set_us((START_US + (DAYS + 1) * DAY_US).cast_signed());
    let env = Env { clock, ..env::real() };
    let mut config = Config::new(dir.path());
    (config.query.memory_mb, config.query.threads, config.query.timeout_us) = (64, 1, TIMEOUT_US);
    config.disk_reserve_bytes = 0;
    fill(&Engine::open(config.clone(), env.clone()).unwrap());
    let engine = Engine::open(config.clone(), env.clone()).unwrap();
    assert_eq!(engine.sites()[0].events_total, EVENTS);
    println!("{EVENTS} events in {DAYS} days; DuckDB with 64 MB and one thread\n");
    println!("| report | time | peak memory of the process |\n|---|---|---|");
    measure_all(&engine);
    measure("sql: pageviews by page", || {
        let sql = Sql::open(dir.path(), &env, &config.query, None, &SqlCancel::new().unwrap()).unwrap();
        let mut rows = 0;
        let statement = "select pathname, count(*) from events where event_name = 'pageview' group by all";
        let is_whole = sql.ask(statement, 1000, &mut |part| {
            rows += u64::from(matches!(part, SqlPart::Row(_)));
            true
        });
        assert_eq!((is_whole.unwrap(), rows), (true, 500));
        Ok(Answer { value: rows, as_of: sql.as_of(), incomplete: Vec::new() })
    });
}

/// Stores all events, in files.
fn fill(engine: &Engine) {
    let mut rng = SimRng::new(1);
    let received_at = Timestamp::from_micros(START_US.cast_signed()).unwrap();
    for first in (0..EVENTS).step_by(usize::try_from(BATCH).unwrap()) {
        let events = (first..first + BATCH).map(|number| (event(number, &mut rng), received_at)).collect();
        engine.append_all(events).unwrap().wait().unwrap();
        if first % 50_000 == 0 {
            settle(engine);
        }
    }
    settle(engine);
    engine.close().unwrap();
}

fn settle(engine: &Engine) {
    while !matches!(engine.maintain().unwrap(), Step::Idle { .. }) {}
}

fn event(number: u64, rng: &mut SimRng) -> Event {
    let (day, place) = (number / EVENTS_PER_DAY, number % EVENTS_PER_DAY);
    let at_us = START_US + day * DAY_US + place * (DAY_US / EVENTS_PER_DAY);
    let person = rng.below(VISITORS_PER_DAY);
    let name = if rng.below(10) == 0 { "signup" } else { "pageview" };
    let text = |prefix: &str, count: u64| format!("{prefix}{}", person % count);
    let mut event = Event::new(
        SiteId::parse("a.example").unwrap(),
        VisitorId::parse(&format!("{:032x}", (day << 32 | person).wrapping_mul(0x9e37_79b9_7f4a_7c15))).unwrap(),
        Timestamp::from_micros(at_us.cast_signed()).unwrap(),
        EventName::parse(name).unwrap(),
        &format!("/page/{}", rng.below(500)),
        EventId::parse(&format!("{number:032x}")).unwrap(),
    );
    event.hostname = Some("a.example".into());
    event.referrer = Some(text("https://source.example/", 300).into());
    event.referrer_source = Some(text("source", 40).into());
    event.browser = Some(text("Browser ", 6).into());
    event.os = Some(text("System ", 6).into());
    event.device_type = Some("desktop".into());
    event.utm_source = person.is_multiple_of(3).then(|| text("newsletter ", 20).into());
    event.utm_medium = person.is_multiple_of(3).then(|| "email".into());
    event.utm_campaign = person.is_multiple_of(3).then(|| text("campaign ", 50).into());
    event.utm_content = person.is_multiple_of(6).then(|| text("content ", 10).into());
    event.utm_term = person.is_multiple_of(6).then(|| text("term ", 10).into());
    event.channel = Some(text("Channel ", 8).into());
    event.browser_version = Some(text("1", 90).into());
    event.os_version = Some(text("1", 30).into());
    event.screen_size = Some(text("1", 60).into());
    event.country_code = Some("DE".into());
    event.region = Some(text("Region ", 16).into());
    event.city = Some(text("City ", 900).into());
    event.user_hash = person.is_multiple_of(4).then(|| format!("{person:064x}").into());
    if name == "signup" {
        event.props = Some(Props::parse(r#"{"plan":"pro","seats":3}"#).unwrap());
        event.revenue_amount = Some(Amount::from_ten_thousandths(125_000).unwrap());
        event.revenue_currency = Some(Currency::parse("EUR").unwrap());
    }
    event
}

fn measure_all(engine: &Engine) {
    let end_us = START_US + DAYS * DAY_US;
    let span = Span { start_us: START_US.cast_signed(), end_us: end_us.cast_signed() };
    let question = &Question::new(SiteId::parse("a.example").unwrap(), span, TimeZone::UTC);
    let page = |path: &str| FunnelStep::Page(path.into());
    let funnel = Funnel { steps: vec![page("/page/1"), page("/page/2"), page("/page/3")], window_us: None };
    let goals = [FunnelStep::Views("/page/1*".into()), FunnelStep::Event("signup".into())];
    let journey = Journey { from: page("/page/1"), direction: Direction::After, steps: 3 };
    measure("main", || engine.reports(&Cancel::default()).main(question));
    measure("main, again", || engine.reports(&Cancel::default()).main(question));
    measure("timeseries by hour", || engine.reports(&Cancel::default()).timeseries(question, Interval::Hour));
    for dimension in Dimension::ALL {
        measure(&format!("breakdown {}", dimension.name()), || {
            engine.reports(&Cancel::default()).breakdown(question, *dimension, 1000)
        });
    }
    measure("breakdown events", || engine.reports(&Cancel::default()).values(question, &Grouping::Name, 1000));
    measure("breakdown props", || {
        engine.reports(&Cancel::default()).values(question, &Grouping::Property("plan".into()), 1000)
    });
    measure("funnel, sequences", || engine.reports(&Cancel::default()).funnel(question, &funnel));
    measure("flow", || engine.reports(&Cancel::default()).flow(question, "/page/1", 10));
    measure("retention of users", || engine.reports(&Cancel::default()).retention(question, 52, true));
    measure("retention of visitors", || engine.reports(&Cancel::default()).retention(question, 52, false));
    measure("journeys", || engine.reports(&Cancel::default()).journeys(question, &journey, 10));
    measure("goals", || engine.reports(&Cancel::default()).goals(question, &goals));
    measure("goal by source", || {
        engine.reports(&Cancel::default()).goal_by(question, &goals[0], &Subject::Dimension(Dimension::Sources), 10)
    });
    measure_more(engine, question, &goals);
    measure("export by day", || engine.reports(&Cancel::default()).daily(question));
    measure("export of events", || {
        let mut rows = 0;
        let export = engine.export(question.clone())?;
        let mut take = |_: &Stored| {
            rows += 1;
            true
        };
        engine.send(&export, &mut take)?;
        assert_eq!(rows, EVENTS);
        Ok(Answer { value: rows, as_of: export.as_of(), incomplete: Vec::new() })
    });
}

/// Filters, figures by several values, the past minutes and the past.
fn measure_more(engine: &Engine, question: &Question, goals: &[FunnelStep]) {
    let reports = || engine.reports(&Cancel::default());
    let keys = |dimensions: &[Dimension]| -> Vec<Key> {
        dimensions.iter().map(|dimension| Key::Value(Subject::Dimension(*dimension))).collect()
    };
    let back = Journey { from: FunnelStep::Page("/page/1".into()), direction: Direction::Before, steps: 3 };
    measure("journeys before", || reports().journeys(question, &back, 10));
    measure("goal by plan", || reports().goal_by(question, &goals[1], &Subject::Prop("plan".into()), 10));
    measure("figures", || reports().groups(question, &[]));
    measure("figures by page", || reports().groups(question, &keys(&[Dimension::Pages])));
    measure("figures by page and source", || {
        reports().groups(question, &keys(&[Dimension::Pages, Dimension::Sources]))
    });
    measure("figures by day and entry page", || {
        let by = [Key::Time(Interval::Day), Key::Value(Subject::Dimension(Dimension::EntryPages))];
        reports().groups(question, &by)
    });
    let is = |subject: Subject, value: &str| Filter::Term(Term::is(subject, [value], true).unwrap());
    let filtered = |filter: Filter| Question { filter, ..question.clone() };
    let of_event = filtered(is(Subject::Dimension(Dimension::Countries), "DE"));
    measure("main of a country", || reports().main(&of_event));
    let of_visit = filtered(is(Subject::Dimension(Dimension::Sources), "source1"));
    measure("main of a source", || reports().main(&of_visit));
    let has_done = filtered(Filter::HasDone(Box::new(is(Subject::EventName, "signup"))));
    measure("main of visits with an event", || reports().main(&has_done));
    let pattern = Term::matches(Subject::Dimension(Dimension::Pages), ["^/page/1[0-9]$"]).unwrap();
    let matching = filtered(Filter::Not(Box::new(Filter::Term(pattern))));
    measure("main without pages like a pattern", || reports().main(&matching));
    let half = EVENTS / 2;
    measure("main as of half of the events", || reports().main(&Question { as_of: Some(half), ..question.clone() }));
    let Span { end_us, .. } = question.span;
    let last = |minutes: i64| {
        let span = Span { start_us: end_us - minutes * 60_000_000, end_us };
        Question { span, ..question.clone() }
    };
    measure("realtime", || reports().realtime(&last(5), &last(30)));
    let pages = reports().breakdown(question, Dimension::Pages, 10).unwrap().value;
    let pages = Pick::Of(pages.into_iter().map(|row| row.value).collect());
    measure("ten given pages, as a comparison asks", || reports().breakdown(question, Dimension::Pages, pages));
}

fn measure<T: Debug>(name: &str, ask: impl FnOnce() -> Result<Answer<T>, QueryError>) {
    forget_peak();
    let started = Instant::now();
    let answer = ask().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(answer.incomplete.is_empty(), "{name}");
    println!("| {name} | {:.2} s | {} MB |", started.elapsed().as_secs_f64(), peak_mb());
}

/// From now on the kernel counts the peak anew.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
