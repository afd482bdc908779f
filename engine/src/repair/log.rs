//! The log: what does not belong into its folder, where it lies against the Parquet files, and its salvage.

use std::sync::Arc;

use mallard_compactor::{Erasure, LsnRange, Rebuild};
use mallard_wal::disk;
use mallard_wal::{
    Committed, Drive, End, Examination, Examined, Fault, Kind, Lsn, Observer, OnCorruption, Origin, Scan,
    SealedSegment, scan,
};

use super::{Action, Repair, identity, lost, refused, relative};
use crate::error::Error;
use crate::identity::Identity;

/// Where the Parquet files end and the log begins, and what is known of the log below.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// Everything through here is to come from files.
    pub(super) checkpoint: Lsn,
    /// What the log says is lost of it.
    pub(super) gaps: Vec<LsnRange>,
    /// The erasures that the log has there.
    pub(super) erasures: Vec<Erasure>,
}

impl Repair {
    /// Takes away what is no segment of this log. False in a dry run that has found something: the rest of the log can only
    /// be looked at without it.
    pub(super) fn strangers(&mut self, identity: &Identity) -> Result<bool, Error> {
        let wal = self.layout.wal();
        if identity::files(self.disk(), &wal, ".wal")?.is_empty() {
            return Ok(true);
        }
        let mut actions = Vec::new();
        for (path, first) in mallard_wal::strangers(self.disk(), &wal, identity.store_id)? {
            let name = first.map(|first| mallard_wal::segment_path(&wal, first));
            let is_taken = |name: &str| actions.iter().any(|action: &Action| action.kept.as_deref() == Some(name));
            let name = name.filter(|name| self.disk().open(name).is_err() && !is_taken(&relative(&self.layout, name)));
            let path = relative(&self.layout, &path);
            actions.push(match name {
                Some(name) => {
                    let kept = relative(&self.layout, &name);
                    Action { path, what: "it is a segment under a wrong name; renamed".to_owned(), kept: Some(kept) }
                }
                None => self.aside(&path, "it is no segment of this log; set aside"),
            });
        }
        self.announce(&actions, &[])?;
        self.carry_out(&actions)?;
        if self.is_dry && !actions.is_empty() {
            return Ok(false);
        }
        self.overlaps(identity)
    }

    /// Segments that hold nothing but what the one before them holds.
    fn overlaps(&mut self, identity: &Identity) -> Result<bool, Error> {
        let segments = self.segments(identity)?;
        let mut actions = Vec::new();
        let mut last = Lsn::ZERO;
        for segment in &segments {
            let path = relative(&self.layout, &segment.path);
            if segment.first_lsn > last || last == Lsn::ZERO {
                last = last.max(segment.last_lsn);
            } else if segment.fault.is_none() && segment.last_lsn <= last {
                actions.push(self.aside(&path, "an earlier segment holds all of its records; set aside"));
            } else {
                let reason = "it begins with records that an earlier segment holds, and goes on with others: which of the \
                              two is true cannot be told; move one of them away";
                return Err(refused(&segment.path, reason));
            }
        }
        self.announce(&actions, &[])?;
        self.carry_out(&actions)?;
        Ok(!self.is_dry || actions.is_empty())
    }

    fn segments(&self, identity: &Identity) -> Result<Vec<Examined>, Error> {
        if identity::files(self.disk(), &self.layout.wal(), ".wal")?.is_empty() {
            return Ok(Vec::new());
        }
        let examination = Examination::begin(self.disk(), &self.layout.wal(), identity.store_id)?;
        Ok(examination.collect::<Result<_, _>>()?)
    }

    /// The highest end of a segment such that everything below is in files, or accounted for otherwise.
    ///
    /// The log reaches down to the true checkpoint or below, so everything before its first segment is in files. A segment
    /// that was not trimmed may be in files already: it is, if each of its positions is a row, or no event.
    pub(super) fn cut(&self, identity: &Identity, rebuild: &Rebuild) -> Result<Cut, Error> {
        let segments = self.segments(identity)?;
        let Some(first) = segments.first() else { return Ok(Cut { checkpoint: rebuild.newest(), ..Cut::default() }) };
        let mut cut = Cut { checkpoint: first.first_lsn.previous(), ..Cut::default() };
        for (at, segment) in segments.iter().enumerate() {
            let end = segments.get(at + 1).map(|next| next.first_lsn.previous());
            let Some(last) = end.or_else(|| known_end(segment)) else { break };
            if last <= cut.checkpoint {
                continue;
            }
            // What cannot be read may hold what is in no file.
            let Ok(bytes) = disk::read(self.disk(), &segment.path) else { break };
            let Some(passed) = pass(&bytes, identity, (cut.checkpoint.next(), last), rebuild) else { break };
            cut.gaps.extend(passed.gaps);
            cut.erasures.extend(passed.erasures);
            cut.checkpoint = last;
        }
        Ok(cut)
    }

    /// Salvages a damaged log, as an open with `salvage` does.
    pub(super) fn log(&mut self, identity: &Identity, origin: Origin) -> Result<(), Error> {
        let checkpoint = origin.checkpoint;
        let segments = self.segments(identity)?;
        let mut actions = Vec::new();
        for (at, segment) in segments.iter().enumerate() {
            let is_behind = segments.get(at + 1).is_some_and(|next| next.first_lsn <= checkpoint.next());
            let fault = segment.fault.filter(|_| !is_behind);
            let path = relative(&self.layout, &segment.path);
            if let Some(fault) = fault.filter(|fault| !matches!(fault, Fault::Discontinued { .. }) || at > 0) {
                let what = format!("{fault}; every record that verifies was taken over");
                let kept = Some(format!("quarantine/{}", path.trim_start_matches("wal/")));
                actions.push(Action { path, what, kept });
            }
        }
        let hole = segments.first().filter(|first| first.first_lsn > checkpoint.next());
        actions.extend(hole.map(|first| Action {
            path: relative(&self.layout, &first.path),
            what: format!("the log lacks LSNs {} to {} before it", checkpoint.next(), first.first_lsn.previous()),
            kept: None,
        }));
        actions.extend(lost_end(&segments, origin));
        self.announce(&actions, &[])?;
        if actions.is_empty() || self.is_dry {
            return Ok(());
        }
        let mut config = self.config.wal.clone();
        config.on_corruption = OnCorruption::Salvage;
        let (wal, quarantine) = (self.layout.wal(), self.layout.quarantine());
        let recovery = mallard_wal::recover(&self.env, &wal, &quarantine, &config, origin, &mut |_| {})?;
        // The gap records say so from now on; here it is for who reads the outcome.
        self.repaired.losses.extend(recovery.report().gaps.iter().map(|(first, last)| lost(*first, *last)));
        // The first segment of the next life: it takes the name of a damaged one that nothing was found in, which the quarantine
        // has, and without any the log would be missed.
        Ok(recovery.start::<()>(Arc::new(Nobody), Drive::Manual)?.close()?)
    }
}

/// Who hears of a log that takes no record.
struct Nobody;

impl Observer<()> for Nobody {
    fn committed(&self, _batch: Committed<()>) {}
    fn sealed(&self, _segment: SealedSegment) {}
    fn poisoned(&self, _cause: &str) {}
}

/// What is said of a log that has lost its end, or is not there at all.
fn lost_end(segments: &[Examined], origin: Origin) -> Option<Action> {
    let end = origin.end?;
    let newest = match segments.last() {
        // Where the end is damaged, that has been said.
        Some(last) if last.fault.is_some() || last.last_lsn.max(origin.checkpoint) >= end.high_water => return None,
        Some(last) => last.last_lsn.max(origin.checkpoint),
        None => origin.checkpoint,
    };
    let what = format!(
        "the log has lost everything from LSN {} on; it goes on behind all that it can have held",
        newest.next()
    );
    Some(Action { path: "wal".to_owned(), what, kept: None })
}

/// The last LSN of the newest segment, if its end is sound.
fn known_end(segment: &Examined) -> Option<Lsn> {
    segment.fault.is_none().then_some(segment.last_lsn)
}

/// What of a segment's positions is neither a row nor an event; `None` if one may be an event that is in no file.
fn pass(bytes: &[u8], identity: &Identity, range: (Lsn, Lsn), rebuild: &Rebuild) -> Option<Cut> {
    let mut passed = Cut::default();
    let mut next = range.0;
    let scan = scan(bytes, identity.store_id).ok();
    let records = scan.iter().filter(|scan| !matches!(scan.end, End::Corrupt { .. })).flat_map(Scan::records);
    for record in records.filter(|record| record.last_lsn() >= range.0) {
        let is_accounted = |from: Lsn, to: Lsn| (from.get()..to.get()).all(|lsn| rebuild.accounts_for(Lsn::new(lsn)));
        if !is_accounted(next, record.lsn.max(next)) {
            return None;
        }
        match record.gap() {
            Some((first, last)) => passed.gaps.push(LsnRange::new(first.max(range.0), last)),
            None if record.kind == Kind::EVENT && !rebuild.accounts_for(record.lsn) => return None,
            None => passed.erasures.extend(Erasure::of(&record)),
        }
        next = record.last_lsn().next();
    }
    let rest = next.get()..=range.1.get();
    rest.into_iter().all(|lsn| rebuild.accounts_for(Lsn::new(lsn))).then_some(passed)
}
