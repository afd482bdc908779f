//! [`Calendar`]: what goes by the date although a date can leap.
//!
//! The window of ids goes by the date of the start and the time that has passed since ([`Calendar::steady_date_us`]): a date that
//! leaps ahead, if only for a moment, would empty it.
//!
//! Retention deletes for good what a date says is old, and a date can be wrong: a dead battery, a typing mistake, a bad time
//! server. So a date that is more than [`LEAP_US`] ahead of where the last believed one must have got to by now is doubted:
//! retention waits until the date has been ahead for [`PATIENCE_US`] of time that passes whatever the date is set to, or is
//! back. A date that falls behind deletes nothing and needs no doubt.
//!
//! ```text
//! believed ──── more than a day ahead ────> doubted ──── a day later, or back ────> believed
//!          control/date: the date believed last, and the date at which the doubt began
//! ```
//! What is believed at a start is what the last life believed, two hours old at most ([`super::date`]), or when the newest event was
//! received, whichever is later; so neither a silence nor a short life puts retention off. After a stop of more than a day nobody can tell
//! the date from one that has leapt, and it is doubted. The doubt goes on in the next life, and what has passed between two
//! starts by that date counts, if it is at most [`ABSENCE_US_MAX`]: of two starts in which the date is ahead, a day
//! or more apart, the second one believes it. An event that was received under a date that was doubted says nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mallard_wal::disk::Clock;

use super::history::HOUR_US;

const DAY_US: i64 = 86_400 * 1_000_000;
/// How far ahead of itself a date may be: a day, and as much as what the last life has written may be late.
const LEAP_US: i64 = DAY_US + 2 * HOUR_US;
/// How long a date has to stay ahead until it is believed.
const PATIENCE_US: i64 = DAY_US;
/// How much of a doubted date can have passed between two lives of a server that somebody uses. A date that is even further
/// on has leapt again.
const ABSENCE_US_MAX: i64 = 92 * DAY_US;

/// What one life knows from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// A date that was believed.
    pub(super) date_us: i64,
    /// The date at which the doubt began, if it was doubted at the end.
    pub(super) doubted_us: Option<i64>,
}

/// What is believed of the date.
#[derive(Debug)]
pub(super) struct Calendar {
    clock: Arc<dyn Clock>,
    /// Date minus steady time, at the start.
    offset_us: i64,
    belief: Mutex<Belief>,
    /// What the next life would know.
    kept: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Belief {
    /// A date that was believed, and the steady time of that moment.
    date_us: i64,
    steady_us: i64,
    /// Since when the date has been too far ahead.
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// By the doubted date.
    date_us: i64,
    /// In steady time, which for a doubt of an earlier life lies before the start of this one.
    steady_us: i64,
}

impl Calendar {
    /// `newest_us`: when the newest event was received; `None` if nothing tells. `kept`: what the last life has written down.
    pub(super) fn new(clock: Arc<dyn Clock>, newest_us: Option<i64>, kept: Option<Known>) -> Self {
        let (now_us, steady_us) = (clock.now_us(), clock.steady_us());
        let date_us = match (kept, newest_us) {
            (Some(kept), Some(newest_us)) if newest_us.saturating_sub(kept.date_us) <= LEAP_US => {
                newest_us.max(kept.date_us)
            }
            (Some(kept), _) => kept.date_us,
            (None, newest_us) => newest_us.unwrap_or(now_us),
        };
        let doubt = kept.and_then(|kept| kept.doubted_us).and_then(|date_us| {
            let passed_us = now_us.saturating_sub(date_us);
            let is_plausible = (0..=ABSENCE_US_MAX).contains(&passed_us);
            is_plausible.then(|| Doubt { date_us, steady_us: steady_us.saturating_sub(passed_us) })
        });
        let belief = Mutex::new(Belief { date_us, steady_us, doubt });
        Self { clock, offset_us: now_us.saturating_sub(steady_us), belief, kept: Mutex::new(kept) }
    }

    /// The date of the start and what has passed since, whatever the date is set to meanwhile.
    pub(super) fn steady_date_us(&self) -> i64 {
        self.clock.steady_us().saturating_add(self.offset_us)
    }

    /// Whether the date may decide what is deleted.
    pub(super) fn is_believed(&self) -> bool {
        self.belief().look(self.clock.now_us(), self.clock.steady_us())
    }

    /// What the next life should know.
    pub(super) fn known(&self) -> Known {
        self.is_believed();
        let belief = self.belief();
        Known { date_us: belief.date_us, doubted_us: belief.doubt.map(|doubt| doubt.date_us) }
    }

    /// Whether the next life would go by something else than this.
    pub(super) fn is_news(&self, known: Known) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.is_none_or(|kept| {
            known.date_us.saturating_sub(kept.date_us) >= HOUR_US || known.doubted_us != kept.doubted_us
        })
    }

    /// This was written down.
    pub(super) fn kept(&self, known: Known) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    fn belief(&self) -> MutexGuard<'_, Belief> {
        self.belief.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Belief {
    fn look(&mut self, date_us: i64, steady_us: i64) -> bool {
        let passed_us = steady_us.saturating_sub(self.steady_us);
        let ahead_us = date_us.saturating_sub(self.date_us.saturating_add(passed_us));
        if ahead_us > LEAP_US && !self.has_waited(ahead_us, date_us, steady_us) {
            return false;
        }
        self.doubt = None;
        // NOTE: a date that has fallen behind is not taken over, or the way back would look like a leap.
        if ahead_us >= 0 {
            (self.date_us, self.steady_us) = (date_us, steady_us);
        }
        true
    }

    fn has_waited(&mut self, ahead_us: i64, date_us: i64, steady_us: i64) -> bool {
        let doubt = self.doubt.get_or_insert_with(|| {
            let days_ahead = ahead_us / DAY_US;
            tracing::warn!(days_ahead, "the date has leapt ahead: retention waits a day before it deletes by it");
            Doubt { date_us, steady_us }
        });
        steady_us.saturating_sub(doubt.steady_us) >= PATIENCE_US
    }
}
