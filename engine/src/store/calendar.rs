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
//! What is believed at a start is when the newest event was received. After a stop, or a silence, of more than a day
//! retention therefore begins a day late, or with the next start after an event. NOTE: a wrong date under which events were
//! received is believed by the next start.

use std::sync::{Arc, Mutex, PoisonError};

use mallard_wal::disk::Clock;

const DAY_US: i64 = 86_400 * 1_000_000;
/// How far ahead of itself a date may be.
const LEAP_US: i64 = DAY_US;
/// How long a date has to stay ahead until it is believed.
const PATIENCE_US: i64 = DAY_US;

/// What is believed of the date.
#[derive(Debug)]
pub(super) struct Calendar {
    clock: Arc<dyn Clock>,
    /// Date minus steady time, at the start.
    offset_us: i64,
    belief: Mutex<Belief>,
}

#[derive(Debug)]
struct Belief {
    /// A date that was believed, and the steady time of that moment.
    date_us: i64,
    steady_us: i64,
    /// Since when, in steady time, the date has been too far ahead.
    doubted_since_us: Option<i64>,
}

impl Calendar {
    /// `known_us`: when the newest event was received; `None` if nothing tells.
    pub(super) fn new(clock: Arc<dyn Clock>, known_us: Option<i64>) -> Self {
        let date_us = known_us.unwrap_or_else(|| clock.now_us());
        let steady_us = clock.steady_us();
        let offset_us = clock.now_us().saturating_sub(steady_us);
        Self { clock, offset_us, belief: Mutex::new(Belief { date_us, steady_us, doubted_since_us: None }) }
    }

    /// The date of the start and what has passed since, whatever the date is set to meanwhile.
    pub(super) fn steady_date_us(&self) -> i64 {
        self.clock.steady_us().saturating_add(self.offset_us)
    }

    /// Whether the date may decide what is deleted.
    pub(super) fn is_believed(&self) -> bool {
        let mut belief = self.belief.lock().unwrap_or_else(PoisonError::into_inner);
        belief.look(self.clock.now_us(), self.clock.steady_us())
    }
}

impl Belief {
    fn look(&mut self, date_us: i64, steady_us: i64) -> bool {
        let passed_us = steady_us.saturating_sub(self.steady_us);
        let ahead_us = date_us.saturating_sub(self.date_us.saturating_add(passed_us));
        if ahead_us > LEAP_US && !self.has_waited(ahead_us, steady_us) {
            return false;
        }
        self.doubted_since_us = None;
        // NOTE: a date that has fallen behind is not taken over, or the way back would look like a leap.
        if ahead_us >= 0 {
            (self.date_us, self.steady_us) = (date_us, steady_us);
        }
        true
    }

    fn has_waited(&mut self, ahead_us: i64, steady_us: i64) -> bool {
        let since_us = *self.doubted_since_us.get_or_insert_with(|| {
            let days_ahead = ahead_us / DAY_US;
            tracing::warn!(days_ahead, "the date has leapt ahead: retention waits a day before it deletes by it");
            steady_us
        });
        steady_us.saturating_sub(since_us) >= PATIENCE_US
    }
}
