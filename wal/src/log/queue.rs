//! What waits for the commit thread: records, requests to seal, the end.
//!
//! Bounded by bytes. Adding never blocks on anything but the queue's mutex, which is held for a few moves; a full queue
//! is the appender's answer, not its wait.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use super::Refused;
use super::receipt::{Receipt, Sender};
use crate::{Draft, Error, SealedSegment};

/// The answer to a request to seal.
pub(super) type SealReply = mpsc::SyncSender<Result<Option<SealedSegment>, Error>>;

/// The records of one append, which share a frame and a receipt.
struct Group {
    records: usize,
    bytes: usize,
    sender: Sender,
}

/// What one group commit takes; the buffers are reused, but for the items, which their owner gets.
pub(super) struct Batch<T> {
    pub(super) drafts: Vec<Draft>,
    pub(super) items: Vec<T>,
    pub(super) senders: Vec<(Sender, usize)>,
    pub(super) bytes: usize,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { drafts: Vec::new(), items: Vec::new(), senders: Vec::new(), bytes: 0 }
    }
}

/// What the commit thread should do next.
pub(super) enum Work {
    /// Commit the batch that was filled.
    Commit,
    /// Seal the active segment.
    Seal(SealReply),
    /// Nothing has come for the time given.
    Idle,
    /// Nothing will come any more: seal and end.
    Close,
    /// End as you are.
    Abandon,
}

/// Whether the queue still takes records.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Closing,
    Closed,
    Poisoned(Arc<str>),
}

struct State<T> {
    groups: VecDeque<Group>,
    drafts: VecDeque<Draft>,
    items: VecDeque<T>,
    bytes: usize,
    seals: VecDeque<SealReply>,
    phase: Phase,
    /// Whether the commit thread waits, so that a wake-up is worth a system call.
    is_waited_on: bool,
}

/// The queue between appenders and the commit thread.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    bytes_max: usize,
    frame_bytes_max: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(bytes_max: usize, frame_bytes_max: usize) -> Self {
        let state = State {
            groups: VecDeque::new(),
            drafts: VecDeque::new(),
            items: VecDeque::new(),
            bytes: 0,
            seals: VecDeque::new(),
            phase: Phase::Open,
            is_waited_on: false,
        };
        Self { state: Mutex::new(state), ready: Condvar::new(), bytes_max, frame_bytes_max }
    }

    /// Adds one record, without waking the commit thread.
    pub(super) fn push_quietly(&self, draft: Draft, item: T) -> Result<Receipt, Refused> {
        let bytes = draft.encoded_len();
        self.admit(1, bytes, |state| {
            state.drafts.push_back(draft);
            state.items.push_back(item);
        })
    }

    /// Wakes the commit thread if it waits while there is something to do.
    pub(super) fn nudge(&self) {
        let state = self.lock();
        if !state.is_idle() {
            self.wake(state);
        }
    }

    /// Adds records that share a frame.
    pub(super) fn push_all(&self, records: Vec<(Draft, T)>) -> Result<Receipt, Refused> {
        assert!(!records.is_empty(), "an append has records");
        let bytes = records.iter().map(|(draft, _)| draft.encoded_len()).sum();
        let receipt = self.admit(records.len(), bytes, |state| {
            for (draft, item) in records {
                state.drafts.push_back(draft);
                state.items.push_back(item);
            }
        })?;
        self.nudge();
        Ok(receipt)
    }

    fn admit(&self, records: usize, bytes: usize, add: impl FnOnce(&mut State<T>)) -> Result<Receipt, Refused> {
        if bytes > self.frame_bytes_max {
            return Err(Refused::TooLarge { bytes, bytes_max: self.frame_bytes_max });
        }
        let (sender, receipt) = Receipt::new();
        let mut state = self.lock();
        match state.phase {
            Phase::Open if state.bytes + bytes > self.bytes_max => return Err(Refused::Busy),
            Phase::Open => {}
            Phase::Closing | Phase::Closed => return Err(Refused::Closed),
            Phase::Poisoned(_) => return Err(Refused::Poisoned),
        }
        add(&mut state);
        state.bytes += bytes;
        state.groups.push_back(Group { records, bytes, sender });
        Ok(receipt)
    }

    /// Asks for the active segment to be sealed.
    pub(super) fn request_seal(&self, reply: SealReply) -> Result<(), Error> {
        let mut state = self.lock();
        state.check_open()?;
        state.seals.push_back(reply);
        self.wake(state);
        Ok(())
    }

    /// Refuses further appends; what is queued is still committed.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        self.wake(state);
    }

    /// Refuses everything and drops what is queued: its receipts resolve to "outcome unknown".
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Poisoned(_)) {
            state.phase = Phase::Closed;
        }
        state.clear();
        self.wake(state);
    }

    /// Refuses appends for ever and returns who waits; the first cause stays.
    pub(super) fn poison(&self, cause: &str) -> Vec<Sender> {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Poisoned(_)) {
            state.phase = Phase::Poisoned(cause.into());
        }
        let waiting = mem::take(&mut state.groups);
        state.clear();
        waiting.into_iter().map(|group| group.sender).collect()
    }

    /// The cause, if the queue is poisoned.
    pub(super) fn poisoned(&self) -> Option<Arc<str>> {
        match &self.lock().phase {
            Phase::Poisoned(cause) => Some(cause.clone()),
            _ => None,
        }
    }

    /// Fails unless the queue takes records.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        self.lock().check_open()
    }

    /// Bytes of records that wait.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Bytes of records that may wait.
    pub(super) const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Waits for work; for records, fills `batch`. With a time, returns [`Work::Idle`] when it has passed.
    pub(super) fn wait(&self, batch: &mut Batch<T>, idle: Option<Duration>) -> Work {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.next(batch, self.frame_bytes_max) {
                return work;
            }
            state.is_waited_on = true;
            let has_timed_out;
            (state, has_timed_out) = self.sleep(state, idle);
            state.is_waited_on = false;
            if has_timed_out && state.is_idle() {
                return Work::Idle;
            }
        }
    }

    /// Takes work if there is any, without waiting.
    pub(super) fn poll(&self, batch: &mut Batch<T>) -> Option<Work> {
        self.lock().next(batch, self.frame_bytes_max)
    }

    fn sleep<'a>(&self, state: MutexGuard<'a, State<T>>, idle: Option<Duration>) -> (MutexGuard<'a, State<T>>, bool) {
        match idle {
            Some(idle) => {
                let (state, timeout) = self.ready.wait_timeout(state, idle).unwrap_or_else(PoisonError::into_inner);
                (state, timeout.timed_out())
            }
            None => (self.ready.wait(state).unwrap_or_else(PoisonError::into_inner), false),
        }
    }

    fn wake(&self, state: MutexGuard<'_, State<T>>) {
        let is_waited_on = state.is_waited_on;
        drop(state);
        if is_waited_on {
            self.ready.notify_one();
        }
    }

    /// A panic while the lock was held leaves nothing half done that matters: every change is a few moves.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn check_open(&self) -> Result<(), Error> {
        match &self.phase {
            Phase::Open => Ok(()),
            Phase::Closing | Phase::Closed => Err(Error::Closed),
            Phase::Poisoned(cause) => Err(Error::Poisoned { cause: cause.to_string() }),
        }
    }

    fn is_idle(&self) -> bool {
        self.phase == Phase::Open && self.groups.is_empty() && self.seals.is_empty()
    }

    fn next(&mut self, batch: &mut Batch<T>, bytes_max: usize) -> Option<Work> {
        match self.phase {
            Phase::Closed | Phase::Poisoned(_) => return Some(Work::Abandon),
            Phase::Open | Phase::Closing => {}
        }
        if let Some(reply) = self.seals.pop_front() {
            return Some(Work::Seal(reply));
        }
        if !self.groups.is_empty() {
            self.fill(batch, bytes_max);
            return Some(Work::Commit);
        }
        (self.phase == Phase::Closing).then_some(Work::Close)
    }

    /// Moves as many groups into the batch as fit into one frame.
    fn fill(&mut self, batch: &mut Batch<T>, bytes_max: usize) {
        let mut records = 0;
        while let Some(group) = self.groups.pop_front_if(|group| batch.bytes + group.bytes <= bytes_max) {
            batch.bytes += group.bytes;
            records += group.records;
            batch.senders.push((group.sender, group.records));
        }
        batch.drafts.extend(self.drafts.drain(..records));
        batch.items.extend(self.items.drain(..records));
        self.bytes -= batch.bytes;
    }

    fn clear(&mut self) {
        self.groups.clear();
        self.drafts.clear();
        self.items.clear();
        self.seals.clear();
        self.bytes = 0;
    }
}
