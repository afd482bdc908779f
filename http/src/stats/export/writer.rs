//! [`Writer`]: the rows of an export on their way to a client, and when the client has had its time.
//!
//! An export holds a connection to DuckDB and the files of its moment, which an erasure has to wait for. So it ends early,
//! and its connection with it, when the client is too slow or an erasure has waited for it long enough. A client that
//! takes nothing at all ends with its connection, which has a deadline of its own.

use std::mem;
use std::time::Duration;

use mallard_engine::env::Clock;
use mallard_event::Stored;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{OwnedPermit, Sender};
use tokio::time::timeout;
use tracing::warn;

use super::{Format, cells};
use crate::response::Piece;

/// Text that is collected before it is sent.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that may wait for the client.
pub(super) const PIECES_WAITING_MAX: usize = 2;
/// How often a waiting writer looks whether it should go on waiting.
const LOOK: Duration = Duration::from_secs(1);
/// How often one does that reads, and has nothing to send.
const ROWS_PER_LOOK: u64 = 4096;
/// How often an export may wait in vain for its client, [`LOOK`] at a time, and how often more for every piece taken: a
/// client that takes 32 KiB a second is never too slow.
const WAITS_MAX: u64 = 60;
const WAITS_PER_PIECE: u64 = 2;
/// How long an erasure waits for an export.
const ERASURE_GRACE_US: i64 = 5_000_000;

/// Sends what is written in pieces.
pub(super) struct Writer<'a> {
    pieces: Sender<Piece>,
    runtime: &'a Handle,
    clock: &'a dyn Clock,
    /// Whether an erasure has to wait for this export.
    hinders: &'a dyn Fn() -> bool,
    /// Since when.
    hinders_since_us: Option<i64>,
    rows: u64,
    waits: u64,
    waits_max: u64,
    format: Format,
    text: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        pieces: Sender<Piece>,
        runtime: &'a Handle,
        clock: &'a dyn Clock,
        hinders: &'a dyn Fn() -> bool,
        format: Format,
    ) -> Self {
        let text = if format == Format::Csv { cells::csv_header() } else { String::new() };
        let (hinders_since_us, rows, waits, waits_max) = (None, 0, 0, WAITS_MAX);
        Self { pieces, runtime, clock, hinders, hinders_since_us, rows, waits, waits_max, format, text }
    }

    /// Whether somebody still waits for this export, and nobody for its end; to be asked for every row that was read.
    pub(super) fn may_go_on(&mut self) -> bool {
        self.rows += 1;
        !self.pieces.is_closed() && (!self.rows.is_multiple_of(ROWS_PER_LOOK) || !self.hinders_for_long())
    }

    /// Adds a row; `false` when the export is to end here.
    pub(super) fn push(&mut self, row: &Stored) -> bool {
        match self.format {
            Format::Csv => cells::push_csv(&mut self.text, row),
            Format::Json => cells::push_json(&mut self.text, row),
        }
        self.text.len() < PIECE_BYTES || self.flush()
    }

    /// Sends the rest and the end, and before that gives `permit` back: whoever has seen the end may ask for the next export.
    /// A writer that is dropped instead leaves an answer that breaks off.
    pub(super) fn finish<T>(mut self, permit: T) {
        if self.flush()
            && let Some(slot) = self.slot()
        {
            drop(permit);
            slot.send(Piece::End);
        }
    }

    fn flush(&mut self) -> bool {
        let text = mem::take(&mut self.text);
        text.is_empty() || self.send(Piece::Data(text.into()))
    }

    fn send(&mut self, piece: Piece) -> bool {
        self.slot().map(|slot| slot.send(piece)).is_some()
    }

    /// Room for a piece, when the client has made it; `None` when the export is to end here.
    fn slot(&mut self) -> Option<OwnedPermit<Piece>> {
        while !self.hinders_for_long() {
            let pieces = self.pieces.clone();
            match self.runtime.block_on(async { timeout(LOOK, pieces.reserve_owned()).await }) {
                Ok(Ok(slot)) => {
                    self.waits_max += WAITS_PER_PIECE;
                    return Some(slot);
                }
                Ok(Err(_closed)) => return None,
                Err(_elapsed) if self.waits == self.waits_max => {
                    warn!("an export of events was ended: its client takes less than 32 KiB a second");
                    return None;
                }
                Err(_elapsed) => self.waits += 1,
            }
        }
        None
    }

    fn hinders_for_long(&mut self) -> bool {
        if !(self.hinders)() {
            self.hinders_since_us = None;
            return false;
        }
        let now_us = self.clock.steady_us();
        let is_long = now_us - *self.hinders_since_us.get_or_insert(now_us) > ERASURE_GRACE_US;
        if is_long {
            warn!("an export of events was ended: an erasure waits for it");
        }
        is_long
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use bytes::Bytes;
    use tokio::sync::mpsc;

    use super::*;

    /// One that goes on by a second whenever it is asked.
    #[derive(Debug, Default)]
    struct Ticking(AtomicI64);

    impl Clock for Ticking {
        fn now_us(&self) -> i64 {
            self.steady_us()
        }

        fn steady_us(&self) -> i64 {
            self.0.fetch_add(1_000_000, Ordering::Relaxed)
        }
    }

    /// Does it with a writer whose client takes nothing beyond `waiting_max` pieces.
    fn with_writer<T: Send + 'static>(
        waiting_max: usize,
        hinders: bool,
        work: impl FnOnce(Writer<'_>) -> T + Send + 'static,
    ) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (pieces, _client) = mpsc::channel(waiting_max);
        let handle = runtime.handle().clone();
        let work = move || {
            let (clock, hinders) = (Ticking::default(), || hinders);
            work(Writer::new(pieces, &handle, &clock, &hinders, Format::Json))
        };
        runtime.block_on(runtime.spawn_blocking(work)).unwrap()
    }

    fn send(writer: &mut Writer<'_>) -> bool {
        writer.send(Piece::Data(Bytes::from_static(b"x")))
    }

    #[test]
    fn an_export_that_an_erasure_waits_for_ends_soon_and_another_does_not() {
        let sent = |hinders| with_writer(10, hinders, |mut writer| (0..10).take_while(|_| send(&mut writer)).count());
        assert_eq!(sent(false), 10);
        assert_eq!(sent(true), 6, "seconds");
        let read = |hinders| {
            with_writer(1, hinders, |mut writer| (0..10 * ROWS_PER_LOOK).take_while(|_| writer.may_go_on()).count())
        };
        assert_eq!(read(false) as u64, 10 * ROWS_PER_LOOK);
        assert_eq!(read(true) as u64, 7 * ROWS_PER_LOOK - 1, "also where there is nothing to send");
    }

    #[test]
    fn a_client_has_a_minute_and_what_it_has_earned_by_taking_pieces() {
        with_writer(3, false, |mut writer| {
            assert!((0..3).all(|_| send(&mut writer)));
            assert_eq!(writer.waits_max, WAITS_MAX + 3 * WAITS_PER_PIECE);
            writer.waits = writer.waits_max - 1;
            assert!(!send(&mut writer));
            assert_eq!(writer.waits, writer.waits_max);
        });
    }
}
