//! Whole reports through an engine, wherever its events are: in memory, in files, half and half, after merges, after a
//! clean stop and after a crash. Compaction never changes an answer: each must be that of the reference, which reads the
//! definitions of the metrics over a plain list of what was stored.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and prints its counts"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::iter::Sum;
use std::sync::{Arc, mpsc};
use std::thread;
use std::vec;

use mallard_engine::env::{self, Clock as _, Env};
use mallard_engine::{
    Answer, BreakdownRow, Cancel, Config, Dimension, Direction, Engine, ErasureRequest, Filter, Funnel, FunnelStep,
    Grouping, Interval, Journey, Key, Maintenance, Paths, Pick, QueryError, Question, Realtime, Receipt, SiteSummary,
    Snapshots, Span, Step, Subject, TimeZone,
};
use mallard_event::{Date, SiteId, Stored, Subject as Person, Timestamp};
use mallard_wal::disk::sim::{SimClock, SimEntropy, SimRng};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config as Proptest, RngAlgorithm, TestRng, TestRunner};
use support::filter::{Wanted, filters};
use support::history::{Size, histories};
use support::oracle::Oracle;
use tempfile::TempDir;

const SEEDS: u64 = 20;
const ERASED_SEEDS: u64 = 6;
const LIVES: u64 = 24;
const ACTS: u64 = 12;
/// The first seed of the random lives, so that their events are others.
const RANDOM_SEEDS: u64 = 1_000;
/// Enough that the hot tail of a site has several chunks, and that a compaction ends inside of one.
const SIZE: Size = Size { walks: 260..340, visitors: 9, days: 2 };
const MINUTE_US: i64 = 60 * 1_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 86_400 * 1_000_000;
/// The first dimensions cost one pass over a day together, every other one a pass of its own. So these take turns: each is
/// asked for in every situation by some of the histories.
const DIMENSIONS_AT_ONCE: usize = 6;
const DIMENSIONS_IN_TURN: usize = 2;

#[test]
fn every_report_equals_the_reference_wherever_its_events_are() {
    let (even, odd) = thread::scope(|scope| {
        let even = scope.spawn(|| (0..SEEDS).step_by(2).map(live_through_everything).sum());
        let odd = (1..SEEDS).step_by(2).map(live_through_everything).sum::<Counts>();
        (even.join().unwrap(), odd)
    });
    let counts: Counts = [even, odd].into_iter().sum();
    println!("{SEEDS} histories: {counts:?}");
    assert!(counts.compactions >= 3 * SEEDS && counts.merges >= 3 * SEEDS, "{counts:?}");
}

fn live_through_everything(seed: u64) -> Counts {
    let mut lab = Lab::new(seed, 1);
    let part = lab.coming.len() / 5;

    // All reports in all situations are asked for of some of the histories.
    let check = |lab: &mut Lab, when: &str| {
        lab.check(when);
        if seed.is_multiple_of(4) {
            lab.check_every(when);
        }
    };

    lab.append(2 * part);
    check(&mut lab, "before any compaction");

    lab.maintain_until(|step| step == Step::Sealed);
    lab.append(part / 2);
    lab.maintain_until(|step| matches!(step, Step::Compacted { .. }));
    lab.append(part / 2);
    check(&mut lab, "half compacted");

    // For every other history the last day is over, too.
    lab.clock.advance_us(i64::from(seed % 4 < 2) * 2 * DAY_US);
    lab.settle();
    check(&mut lab, "compacted and merged");

    lab.engine().close().unwrap();
    lab.open();
    check(&mut lab, "after a clean stop");

    lab.append(usize::MAX);
    lab.maintain(seed % 7);
    lab.open();
    check(&mut lab, "after a crash");
    lab.counts
}

#[test]
fn every_report_after_an_erasure_equals_the_reference_of_what_is_left() {
    let counts: Counts = (0..ERASED_SEEDS)
        .map(|seed| {
            let mut lab = Lab::new(seed, 1);
            let part = lab.coming.len() / 4;
            lab.append(2 * part);
            lab.maintain(seed % 7);
            lab.append(part);
            lab.erase(seed);
            lab.check_every("after an erasure");
            lab.append(usize::MAX);
            lab.settle();
            lab.open();
            lab.check_every("erased, compacted and after a crash");
            lab.counts
        })
        .sum();
    println!("{ERASED_SEEDS} histories: {counts:?}");
}

/// Random lives on the real disk, with the real queries: so many, unless `MALLARD_TEST_LIVES` says otherwise.
#[test]
fn the_reports_equal_the_reference_after_every_act_of_random_lives() {
    let lives = std::env::var("MALLARD_TEST_LIVES").map_or(LIVES, |text| text.parse().expect("a number"));
    let (even, odd) = thread::scope(|scope| {
        let even = scope.spawn(move || (0..lives).step_by(2).map(live_at_random).sum());
        let odd = (1..lives).step_by(2).map(live_at_random).sum::<Counts>();
        (even.join().unwrap(), odd)
    });
    let counts: Counts = [even, odd].into_iter().sum();
    println!("{lives} random lives of {ACTS} acts: {counts:?}");
    assert!(counts.compactions >= lives && counts.merges >= lives / 2, "{counts:?}");
}

fn live_at_random(seed: u64) -> Counts {
    let mut lab = Lab::new(RANDOM_SEEDS + seed, 1 + seed % 4 * 9);
    lab.append(lab.coming.len() / 3);
    let mut lived = String::new();
    for act in 0..ACTS {
        lived += lab.act();
        let when = format!("after act {act} of{lived}");
        // One kind of reports after each act, in turns; the totals always.
        match (seed + act) % 4 {
            0 => lab.check(&when),
            1 => lab.check_ordered(&when),
            2 => lab.check_every(&when),
            _ => {}
        }
        lab.check_briefly(&when);
    }
    lab.append(usize::MAX);
    lab.clock.advance_us(HOUR_US);
    lab.maintain_until(|step| matches!(step, Step::Idle { .. }));
    lab.check(&format!("in the end of{lived}"));
    lab.counts
}

#[test]
fn every_report_given_while_maintenance_runs_equals_the_reference() {
    let mut lab = Lab::new(SEEDS, 40);
    let (report, steps) = mpsc::channel();
    let maintenance = Maintenance::start(lab.engine(), move |step| report.send(step).unwrap()).unwrap();
    while lab.coming.len() > 0 {
        lab.append(30);
        lab.check_briefly("beside maintenance");
    }
    maintenance.stop();
    steps.iter().for_each(|step| lab.counts.add(step));
    println!("{:?}", lab.counts);
    assert!(lab.counts.compactions >= 3, "{:?}", lab.counts);
}

/// What came by, over all histories.
#[derive(Debug, Default)]
struct Counts {
    events: usize,
    reports: usize,
    compactions: u64,
    merges: u64,
}

impl Counts {
    fn add(&mut self, step: Step) {
        match step {
            Step::Compacted { .. } => self.compactions += 1,
            Step::Merged { .. } => self.merges += 1,
            _ => {}
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, counts| Self {
            events: sum.events + counts.events,
            reports: sum.reports + counts.reports,
            compactions: sum.compactions + counts.compactions,
            merges: sum.merges + counts.merges,
        })
    }
}

/// A data directory with an engine on it, and everything that was acknowledged.
struct Lab {
    config: Config,
    env: Env,
    clock: Arc<SimClock>,
    /// `None` only while it is opened again.
    engine: Option<Arc<Engine>>,
    rng: SimRng,
    /// What is still to come, in the order of its arrival.
    coming: vec::IntoIter<Stored>,
    stored: Vec<Stored>,
    /// The newest LSN: an erasure has one, too.
    newest: u64,
    questions: Vec<(Question, Wanted)>,
    seed: u64,
    counts: Counts,
    _dir: TempDir,
}

impl Lab {
    /// A new store on the last day of a generated history. Files are few events large and soon merged.
    fn new(seed: u64, flush_events: u64) -> Self {
        let mut rng = SimRng::new(seed);
        let history = histories(&SIZE).new_tree(&mut runner(&mut rng)).unwrap().current();
        let clock = Arc::new(SimClock::default());
        clock.set_us(history.rows.iter().map(|row| row.event.timestamp.micros()).max().unwrap());
        let env = Env { clock: clock.clone(), entropy: Arc::new(SimEntropy::new(seed)), ..env::real() };
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(dir.path());
        config.flush_events = flush_events;
        config.wal.segment_bytes = 64 << 10;
        config.limits.merge_files_min = 2;
        let everything = || Wanted::All(Vec::new());
        let wanted = filters().new_tree(&mut runner(&mut rng)).unwrap().current();
        let filtered = Question { filter: wanted.to_filter(), ..history.question.clone() };
        let all_time = questions_of_all_time(&history.rows).into_iter().map(|question| (question, everything()));
        let questions = all_time.chain([(history.question, everything()), (filtered, wanted)]).collect();
        let (stored, counts) = (Vec::with_capacity(history.rows.len()), Counts::default());
        let coming = history.rows.into_iter();
        let mut lab = Self {
            config,
            env,
            clock,
            engine: None,
            rng,
            coming,
            stored,
            newest: 0,
            questions,
            seed,
            counts,
            _dir: dir,
        };
        lab.open();
        lab
    }

    fn engine(&self) -> &Arc<Engine> {
        self.engine.as_ref().unwrap()
    }

    /// Opens the store; an engine that has it open is dropped first, which writes nothing, as a crash.
    fn open(&mut self) {
        self.engine = None;
        self.engine = Some(Arc::new(Engine::open(self.config.clone(), self.env.clone()).unwrap()));
    }

    /// Sends the next events, in groups, and waits for their acknowledgements.
    fn append(&mut self, count: usize) {
        let received_at = Timestamp::from_micros(self.clock.now_us()).unwrap();
        let events: Vec<Stored> = self.coming.by_ref().take(count).collect();
        self.counts.events += events.len();
        let mut rest = &events[..];
        while !rest.is_empty() {
            let (group, others) = rest.split_at(usize::try_from(1 + self.rng.below(40)).unwrap().min(rest.len()));
            let append = |row: &Stored| self.engine().append(row.event.clone(), received_at).unwrap();
            let receipts: Vec<Receipt> = group.iter().map(append).collect();
            for (row, receipt) in group.iter().zip(receipts) {
                self.newest = receipt.wait().unwrap();
                let lsn = Some(self.newest);
                self.stored.push(Stored { lsn, received_at, event: row.event.clone() });
            }
            rest = others;
        }
    }

    /// Does something that may happen, and names it.
    fn act(&mut self) -> &'static str {
        match self.rng.below(16) {
            0..5 => {
                let count = 1 + self.rng.below(60);
                self.append(usize::try_from(count).unwrap());
                " append"
            }
            5..9 => {
                let steps = 1 + self.rng.below(4);
                self.maintain(steps);
                " maintain"
            }
            9 => {
                // The flush interval passes, or a few events would wait.
                self.clock.advance_us(HOUR_US);
                self.maintain_until(|step| matches!(step, Step::Idle { .. }));
                " settle"
            }
            10 => {
                self.clock.advance_us(HOUR_US);
                " hour"
            }
            11 => {
                self.clock.advance_us(DAY_US);
                " day"
            }
            12 => {
                self.open();
                " crash"
            }
            13 => {
                self.engine().close().unwrap();
                self.open();
                " stop"
            }
            14 => {
                self.clock.advance_us(1_000);
                Snapshots::of(self.env.clone(), self.config.data_dir.as_path()).take(&[]).unwrap();
                " snapshot"
            }
            _ => {
                let turn = self.rng.below(4);
                self.erase(turn);
                " erase"
            }
        }
    }

    /// Erases from the middle of a site's events, here and in the reference: half a day, which may lie on both sides of a
    /// UTC midnight; two stretches on either side of one; all of a visitor; all of a user. By turns.
    fn erase(&mut self, turn: u64) {
        let site = self.questions.last().unwrap().0.site.clone();
        let mut rows: Vec<&Stored> = self.stored.iter().filter(|row| row.event.site == site).collect();
        rows.sort_unstable_by_key(|row| row.event.timestamp);
        let Some(middle) = rows.get(rows.len() / 2) else { return };
        let around =
            |at_us: i64, hours: i64| Span { start_us: at_us - hours * HOUR_US, end_us: at_us + hours * HOUR_US };
        let (middle_us, midnight_us) =
            (middle.event.timestamp.micros(), middle.event.timestamp.date().start().micros());
        let always = Span {
            start_us: rows[0].event.timestamp.micros(),
            end_us: rows[rows.len() - 1].event.timestamp.micros() + 1,
        };
        let user = rows.iter().find_map(|row| row.event.user_hash.as_deref());
        let erasures = match turn % 4 {
            0 => vec![(around(middle_us, 6), None)],
            1 => vec![(around(midnight_us, 3), None), (around(middle_us, 1), None)],
            2 => vec![(always, Some(Person::visitor(&site, &middle.event.visitor)))],
            _ => user.map(|user| (always, Some(Person::user(&site, user)))).into_iter().collect(),
        };
        for (span, subject) in erasures {
            let before = self.stored.len();
            let is_taken = |row: &Stored| {
                let is_inside = row.event.site == site && span.contains(row.event.timestamp.micros());
                is_inside && subject.is_none_or(|subject| subject.is_of(&row.event))
            };
            self.stored.retain(|row| !is_taken(row));
            let erased = self.engine().erase(&ErasureRequest { site: site.clone(), span, subject }).unwrap();
            assert_eq!(erased.events, (before - self.stored.len()) as u64, "seed {}", self.seed);
            self.newest = erased.lsn;
        }
    }

    /// Does some steps of maintenance; returns the last one.
    fn maintain(&mut self, steps: u64) -> Option<Step> {
        let mut last = None;
        for _ in 0..steps {
            let step = self.engine().maintain().unwrap();
            self.counts.add(step);
            last = Some(step);
        }
        last
    }

    /// Maintains up to the first step of a kind.
    fn maintain_until(&mut self, is_wanted: impl Fn(Step) -> bool) {
        let is_met = (0..1_000).any(|_| self.maintain(1).is_some_and(&is_wanted));
        assert!(is_met, "maintenance does not come to an end, seed {}", self.seed);
    }

    /// Maintains until nothing is due: then everything is in files.
    fn settle(&mut self) {
        self.maintain_until(|step| matches!(step, Step::Idle { .. }));
        assert_eq!(self.engine().status().buffered_events, 0, "seed {}", self.seed);
    }

    /// Compares the reports to every question, and the list of sites.
    fn check(&mut self, when: &str) {
        let dimensions = self.dimensions();
        for (question, wanted) in &self.questions {
            let (engine, oracle) = (self.engine(), Oracle::filtered(&self.stored, question, wanted));
            self.check_totals(question, &oracle, when);
            for interval in [Interval::Hour, Interval::Week, Interval::Month] {
                let answer = engine.reports(&Cancel::default()).timeseries(question, interval);
                self.compare(answer, oracle.timeseries(interval), &format!("{interval:?} {when}"));
            }
            for dimension in &dimensions {
                let answer = engine.reports(&Cancel::default()).breakdown(question, *dimension, 1000);
                self.compare(answer, oracle.breakdown(*dimension, 1000), &format!("{dimension:?} {when}"));
            }
        }
        self.check_ordered(when);
        assert_eq!(self.engine().sites(), sites_of(&self.stored), "sites {when}, seed {}", self.seed);
        self.counts.reports += self.questions.len() * (5 + dimensions.len()) + 1;
    }

    /// Compares the reports that depend on the order of events.
    fn check_ordered(&mut self, when: &str) {
        let page = |path: &str| FunnelStep::Page(path.into());
        let steps = vec![page("/"), page("/a"), FunnelStep::Event("signup".into())];
        let funnel = Funnel { steps, window_us: Some(HOUR_US) };
        for (question, wanted) in &self.questions {
            let (engine, oracle) = (self.engine(), Oracle::filtered(&self.stored, question, wanted));
            self.compare(
                engine.reports(&Cancel::default()).funnel(question, &funnel),
                oracle.funnel(&funnel),
                &format!("funnel {when}"),
            );
            self.compare(
                engine.reports(&Cancel::default()).flow(question, "/", 10),
                oracle.flow("/", 10),
                &format!("flow {when}"),
            );
            let retention = oracle.retention(&self.stored, 3, true, self.clock.now_us());
            self.compare(
                engine.reports(&Cancel::default()).retention(question, 3, true),
                retention,
                &format!("retention {when}"),
            );
            let (daily, names) = (oracle.daily(), oracle.values_by(&Grouping::Name, 100));
            self.compare(engine.reports(&Cancel::default()).daily(question), daily, &format!("daily {when}"));
            self.compare(
                engine.reports(&Cancel::default()).values(question, &Grouping::Name, 100),
                names,
                &format!("names {when}"),
            );
            self.check_export(question, when);
        }
        self.counts.reports += self.questions.len() * 6;
    }

    /// Compares every other report, and one of each kind, now and as they stood.
    fn check_every(&mut self, when: &str) {
        let middle = self.stored.get(self.stored.len() / 2).and_then(|row| row.lsn);
        let of_range = &self.questions[self.questions.len() - 2..];
        let mut reports = 0;
        for ((question, wanted), as_of) in of_range.iter().flat_map(|question| [(question, None), (question, middle)]) {
            let question = Question { as_of, ..question.clone() };
            let oracle = Oracle::filtered(&self.stored, &question, wanted);
            self.check_totals(&question, &oracle, when);
            self.check_lists(&question, &oracle, when);
            self.check_past(&question, &oracle, when);
            self.check_realtime(&question, wanted, when);
            reports += 18;
        }
        self.counts.reports += reports;
    }

    /// Compares the reports that [`Lab::check_ordered`] asks for now, as they stood.
    fn check_past(&self, question: &Question, oracle: &Oracle<'_>, when: &str) {
        let (cancel, now_us) = (Cancel::default(), self.clock.now_us());
        let reports = self.engine().reports(&cancel);
        self.compare_at(question, reports.flow(question, "/", 10), oracle.flow("/", 10), &format!("flow {when}"));
        self.compare_at(question, reports.daily(question), oracle.daily(), &format!("daily {when}"));
        for weeks in [3, 9] {
            let retention = oracle.retention(&self.stored, weeks, true, now_us);
            self.compare_at(
                question,
                reports.retention(question, weeks, true),
                retention,
                &format!("retention {when}"),
            );
        }
        if question.as_of.is_some() {
            self.check_export(question, when);
        }
    }

    /// Compares the present and the half hour before it, each time as if one of the events of the question were now.
    fn check_realtime(&self, question: &Question, wanted: &Wanted, when: &str) {
        let inside =
            |row: &&Stored| row.event.site == question.site && question.span.contains(row.event.timestamp.micros());
        let times: Vec<i64> = self.stored.iter().filter(inside).map(|row| row.event.timestamp.micros()).collect();
        for now_us in [times.first(), times.get(times.len() / 2), times.last()].into_iter().flatten() {
            let of = |minutes: i64| {
                let span = Span { start_us: now_us - minutes * MINUTE_US, end_us: now_us + 1 };
                Question { span, ..question.clone() }
            };
            let (present, recent) = (of(5), of(30));
            let oracle = |question| Oracle::filtered(&self.stored, question, wanted);
            let minutes = oracle(&recent).timeseries(Interval::Minute);
            let expected = Realtime { figures: oracle(&present).main(), minutes };
            let realtime = self.engine().reports(&Cancel::default()).realtime(&present, &recent);
            self.compare_at(question, realtime, expected, &format!("realtime {when}"));
        }
    }

    fn check_lists(&self, question: &Question, oracle: &Oracle<'_>, when: &str) {
        let (cancel, page) = (Cancel::default(), |path: &str| FunnelStep::Page(path.into()));
        let reports = self.engine().reports(&cancel);
        let keys = [Key::Value(Subject::Visit(Dimension::Browsers)), Key::Time(Interval::Day)];
        let groups = reports.groups(question, &keys).and_then(|answer| {
            answer.try_map(|answer| {
                let values = |group| answer.values(group).map(|value| value.map(str::to_owned)).collect();
                Ok(answer.groups.iter().map(|group| (values(group), group.figures)).collect())
            })
        });
        self.compare_at(question, groups, oracle.groups(&keys), &format!("groups {when}"));
        let journey = Journey { from: page("/"), direction: Direction::After, steps: 3 };
        let journeys = reports.journeys(question, &journey, 5);
        self.compare_at(question, journeys, oracle.journeys(&journey, 5), &format!("journeys {when}"));
        let goals = [FunnelStep::Views("/*a".into()), FunnelStep::Event("signup".into())];
        self.compare_at(question, reports.goals(question, &goals), oracle.goals(&goals), &format!("goals {when}"));
        for subject in [Subject::Dimension(Dimension::EntryPages), Subject::Prop("plan".into())] {
            let answer = reports.goal_by(question, &goals[1], &subject, 1000);
            self.compare_at(question, answer, oracle.goal_by(&goals[1], &subject), &format!("{subject:?} {when}"));
        }
        let plans = Grouping::Property("plan".into());
        let values = reports.values(question, &plans, 100);
        self.compare_at(question, values, oracle.values_by(&plans, 100), &format!("plans {when}"));
        let sequence = Funnel { steps: vec![page("/a"), page("/")], window_us: None };
        let sequences = reports.funnel(question, &sequence);
        self.compare_at(question, sequences, oracle.funnel(&sequence), &format!("sequence {when}"));
        self.check_picked(question, oracle, when);
        let limit = reports.breakdown(question, Dimension::ExitPages, 2);
        self.compare_at(question, limit, oracle.breakdown(Dimension::ExitPages, 2), &format!("two exit pages {when}"));
    }

    /// Compares lists of given lines, as a comparison with another range asks for them.
    fn check_picked(&self, question: &Question, oracle: &Oracle<'_>, when: &str) {
        let cancel = Cancel::default();
        let reports = self.engine().reports(&cancel);
        let wanted = [Some("/a"), Some("/never"), Some("/")].map(|page| page.map(str::to_owned));
        let all = oracle.breakdown(Dimension::Pages, usize::MAX);
        let line = |value: &Option<String>| {
            let nothing = BreakdownRow { value: value.clone(), visitors: 0, pageviews: 0 };
            all.iter().find(|row| row.value == *value).cloned().unwrap_or(nothing)
        };
        let picked = reports.breakdown(question, Dimension::Pages, Pick::Of(wanted.to_vec()));
        self.compare_at(question, picked, wanted.iter().map(line).collect(), &format!("picked pages {when}"));
        for direction in [Direction::After, Direction::Before] {
            let journey = Journey { from: FunnelStep::Page("/a".into()), direction, steps: 2 };
            let expected = oracle.journeys(&journey, 4);
            let paths = Paths::Of(expected.clone());
            self.compare_at(question, reports.journeys(question, &journey, 4), expected.clone(), "first journeys");
            self.compare_at(question, reports.journeys(question, &journey, paths), expected, "the same journeys");
        }
        let names = reports.values(question, &Grouping::Name, 2);
        self.compare_at(question, names, oracle.values_by(&Grouping::Name, 2), &format!("two names {when}"));
    }

    /// Compares an export of all events. Filters of exports are compared in `engine/src/query/tests/values.rs`.
    fn check_export(&self, question: &Question, when: &str) {
        let question = &Question { filter: Filter::default(), ..question.clone() };
        let mut sent = Vec::new();
        let export = self.engine().export(question.clone()).unwrap();
        let mut take = |row: &Stored| {
            sent.push(row.clone());
            true
        };
        self.engine().send(&export, &mut take).unwrap();
        assert_eq!(export.as_of(), question.as_of.unwrap_or(self.newest));
        let is_same = sent == support::values::rows_inside(&self.stored, question);
        assert!(is_same, "export {when}, seed {}", self.seed);
    }

    /// Compares the two reports that every dashboard begins with.
    fn check_briefly(&mut self, when: &str) {
        for (question, wanted) in &self.questions {
            self.check_totals(question, &Oracle::filtered(&self.stored, question, wanted), when);
        }
        self.counts.reports += self.questions.len() * 2;
    }

    fn check_totals(&self, question: &Question, oracle: &Oracle<'_>, when: &str) {
        let main = self.engine().reports(&Cancel::default()).main(question);
        self.compare_at(question, main, oracle.main(), &format!("main {when}"));
        let days = self.engine().reports(&Cancel::default()).timeseries(question, Interval::Day);
        self.compare_at(question, days, oracle.timeseries(Interval::Day), &format!("days {when}"));
    }

    fn compare<T: Debug + PartialEq>(&self, answer: Result<Answer<T>, QueryError>, value: T, what: &str) {
        self.compare_as_of(self.newest, answer, value, what);
    }

    /// The same for a question that may be about a moment of the past.
    fn compare_at<T: Debug + PartialEq>(
        &self,
        question: &Question,
        answer: Result<Answer<T>, QueryError>,
        value: T,
        what: &str,
    ) {
        self.compare_as_of(question.as_of.unwrap_or(self.newest), answer, value, what);
    }

    fn compare_as_of<T: Debug + PartialEq>(
        &self,
        as_of: u64,
        answer: Result<Answer<T>, QueryError>,
        value: T,
        what: &str,
    ) {
        let expected = Answer { value, as_of, incomplete: Vec::new() };
        assert_eq!(answer.as_ref(), Ok(&expected), "{what}, as of {as_of}, seed {}", self.seed);
    }

    fn dimensions(&self) -> Vec<Dimension> {
        let (at_once, others) = Dimension::ALL.split_at(DIMENSIONS_AT_ONCE);
        let turn = usize::try_from(self.seed).unwrap() * DIMENSIONS_IN_TURN;
        at_once.iter().chain(others.iter().cycle().skip(turn).take(DIMENSIONS_IN_TURN)).copied().collect()
    }
}

/// What makes the values of a strategy from a seed.
fn runner(rng: &mut SimRng) -> TestRunner {
    let mut seed = [0; 32];
    rng.fill(&mut seed);
    TestRunner::new_with_rng(Proptest::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// For each site, a question about all its days.
fn questions_of_all_time(rows: &[Stored]) -> Vec<Question> {
    let days: BTreeSet<Date> = rows.iter().map(|row| row.event.timestamp.date()).collect();
    let (first, last) = (days.first().unwrap(), days.last().unwrap());
    let span = Span { start_us: first.start().micros(), end_us: last.end().micros() };
    let sites: BTreeSet<&SiteId> = rows.iter().map(|row| &row.event.site).collect();
    sites.into_iter().map(|site| Question::new(site.clone(), span, TimeZone::UTC)).collect()
}

/// The list of sites, by name.
fn sites_of(rows: &[Stored]) -> Vec<SiteSummary> {
    let mut times = BTreeMap::<&SiteId, Vec<Timestamp>>::new();
    for row in rows {
        times.entry(&row.event.site).or_default().push(row.event.timestamp);
    }
    let summary = |(site, times): (&SiteId, Vec<Timestamp>)| SiteSummary {
        site: site.clone(),
        first_event_at: *times.iter().min().unwrap(),
        last_event_at: *times.iter().max().unwrap(),
        events_total: times.len() as u64,
    };
    times.into_iter().map(summary).collect()
}
