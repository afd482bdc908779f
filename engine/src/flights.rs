//! [`Flights`]: a question that is asked while the same one is being answered waits for that answer.
//!
//! ```text
//! same text, same moment ──> the first computes ──> all take its answer
//!                            it fails: the next one that waits computes
//! ```
//! Two moments are the same if nothing was stored, erased or found damaged between them, so whoever asks after an event was
//! acknowledged never gets an answer without it. Nothing is kept: an answer goes with the last one who waited for it.

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::query::{Deadline, QueryError};

/// What is being answered, about moments `M`.
#[derive(Debug)]
pub(crate) struct Flights<M> {
    flights: Mutex<Vec<Flight<M>>>,
    landed: Condvar,
}

#[derive(Debug)]
struct Flight<M> {
    question: String,
    moment: M,
    /// Who computes or waits.
    people: usize,
    is_computed: bool,
    answer: Option<Arc<dyn Any + Send + Sync>>,
}

impl<M> Default for Flights<M> {
    fn default() -> Self {
        Self { flights: Mutex::default(), landed: Condvar::new() }
    }
}

impl<M: Clone + PartialEq> Flights<M> {
    /// The answer to `question` about `moment`: that of another query which computes it now, or that of `compute`.
    pub(crate) fn answer<T: Clone + Send + Sync + 'static>(
        &self,
        question: String,
        moment: &M,
        deadline: &Deadline,
        compute: impl FnOnce() -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let mut seat = self.board(question, moment);
        let mut flights = self.lock();
        loop {
            let flight = seat.flight(&mut flights)?;
            if let Some(answer) = flight.answer.as_ref().and_then(|answer| answer.downcast_ref::<T>()) {
                return Ok(answer.clone());
            }
            if !flight.is_computed {
                flight.is_computed = true;
                break;
            }
            deadline.check()?;
            flights = self.landed.wait_timeout(flights, deadline.patience()).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(flights);
        seat.is_computing = true;
        let answer = compute()?;
        let mut flights = self.lock();
        let flight = seat.flight(&mut flights)?;
        if flight.people > 1 {
            flight.answer = Some(Arc::new(answer.clone()));
        }
        drop(flights);
        Ok(answer)
    }

    fn board(&self, question: String, moment: &M) -> Seat<'_, M> {
        let mut flights = self.lock();
        let seat = Seat { flights: self, question, moment: moment.clone(), is_computing: false };
        match flights.iter_mut().find(|flight| seat.is_on(flight)) {
            Some(flight) => flight.people += 1,
            None => {
                let (question, moment) = (seat.question.clone(), seat.moment.clone());
                flights.push(Flight { question, moment, people: 1, is_computed: false, answer: None });
            }
        }
        seat
    }

    /// A panic cannot leave a flight half changed.
    fn lock(&self) -> MutexGuard<'_, Vec<Flight<M>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One query's part in a flight; ends however it ends.
struct Seat<'a, M: Clone + PartialEq> {
    flights: &'a Flights<M>,
    question: String,
    moment: M,
    is_computing: bool,
}

impl<M: Clone + PartialEq> Seat<'_, M> {
    fn is_on(&self, flight: &Flight<M>) -> bool {
        flight.question == self.question && flight.moment == self.moment
    }

    fn flight<'b>(&self, flights: &'b mut [Flight<M>]) -> Result<&'b mut Flight<M>, QueryError> {
        let mine = flights.iter_mut().find(|flight| self.is_on(flight));
        mine.ok_or_else(|| QueryError::Internal("a question that is being answered is not known".into()))
    }
}

impl<M: Clone + PartialEq> Drop for Seat<'_, M> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        if let Ok(flight) = self.flight(&mut flights) {
            flight.people -= 1;
            flight.is_computed &= !self.is_computing;
        }
        flights.retain(|flight| flight.people > 0);
        drop(flights);
        self.flights.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use mallard_wal::disk::Clock;
    use mallard_wal::disk::real::SystemClock;

    use super::*;

    const QUERIES: usize = 8;

    fn deadline() -> Deadline {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Deadline::after(&clock, 60_000_000)
    }

    /// Lets every query ask at once and computes no answer before all of them wait. Returns the answers.
    fn ask(
        question: impl Fn(usize) -> (String, u64) + Sync,
        flights: usize,
        is_first_lost: bool,
    ) -> (Vec<usize>, usize) {
        let (all, computed) = (Flights::default(), AtomicUsize::new(0));
        let compute = || {
            while all.lock().iter().map(|flight| flight.people).sum::<usize>() < QUERIES || all.lock().len() < flights {
                if computed.load(Ordering::SeqCst) > 0 {
                    break;
                }
                thread::yield_now();
            }
            match computed.fetch_add(1, Ordering::SeqCst) {
                0 if is_first_lost => Err(QueryError::Cancelled),
                number => Ok(number),
            }
        };
        let answers = thread::scope(|scope| {
            let ask = |query| {
                let (question, moment) = question(query);
                let all = &all;
                scope.spawn(move || all.answer(question, &moment, &deadline(), compute))
            };
            let asked: Vec<_> = (0..QUERIES).map(ask).collect();
            asked.into_iter().filter_map(|query| query.join().unwrap().ok()).collect()
        });
        assert!(all.lock().is_empty(), "nothing is kept");
        (answers, computed.into_inner())
    }

    #[test]
    fn equal_questions_that_are_asked_together_are_computed_once_and_all_are_answered() {
        assert_eq!(ask(|_| ("funnel".into(), 7), 1, false), (vec![0; QUERIES], 1));
    }

    #[test]
    fn another_question_and_another_moment_have_an_answer_of_their_own() {
        let (answers, computed) = ask(|query| (format!("{}", query % 2), (query % 4 / 2) as u64), 4, false);
        assert_eq!((answers.len(), computed), (QUERIES, 4));
    }

    #[test]
    fn when_the_first_fails_another_one_that_waits_computes() {
        let (answers, computed) = ask(|_| ("funnel".into(), 7), 1, true);
        assert_eq!((answers, computed), (vec![1; QUERIES - 1], 2));
    }
}
