//! [`Writer`]: the rows of an export on their way to a client, and when the client has had its time.
//!
//! An export holds a connection to DuckDB and the files of its moment, which an erasure has to wait for. So it ends early,
//! and its connection with it, when the client is too slow or an erasure has waited for it long enough. A client that
//! takes nothing at all ends with its connection, which has a deadline of its own.

use std::io::Write as _;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use mallard_engine::env::Clock;
use mallard_event::Stored;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{OwnedPermit, Sender};
use tokio::time::timeout;
use tracing::warn;

use super::{Format, cells};
use crate::response::Piece;

/// Bytes that are collected before they are sent: of text, or of compressed text.
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
    /// For a client that takes gzip: what is compressed and not sent yet. Its end is in the last piece alone, so that what
    /// breaks off does not unpack as a whole either.
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        pieces: Sender<Piece>,
        runtime: &'a Handle,
        clock: &'a dyn Clock,
        hinders: &'a dyn Fn() -> bool,
        format: Format,
        is_gzip: bool,
    ) -> Self {
        let text = if format == Format::Csv { cells::csv_header() } else { String::new() };
        let (hinders_since_us, rows, waits, waits_max) = (None, 0, 0, WAITS_MAX);
        let gzip = is_gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        Self { pieces, runtime, clock, hinders, hinders_since_us, rows, waits, waits_max, format, text, gzip }
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
        self.text.len() < PIECE_BYTES || self.flush(false)
    }

    /// Sends the rest and the end, and before that gives `permit` back: whoever has seen the end may ask for the next export.
    /// A writer that is dropped instead leaves an answer that breaks off.
    pub(super) fn finish<T>(mut self, permit: T) {
        if self.flush(true)
            && let Some(slot) = self.slot()
        {
            drop(permit);
            slot.send(Piece::End);
        }
    }

    fn flush(&mut self, is_end: bool) -> bool {
        let piece = self.packed(is_end);
        piece.is_empty() || self.send(Piece::Data(piece))
    }

    /// What is to be sent of what is collected; of compressed bytes only as many as make a piece, or the last ones.
    fn packed(&mut self, is_end: bool) -> Bytes {
        let text = mem::take(&mut self.text);
        let Some(gzip) = &mut self.gzip else { return text.into() };
        gzip.write_all(text.as_bytes()).expect("memory takes every byte");
        if is_end {
            gzip.try_finish().expect("memory takes every byte");
        }
        let packed = gzip.get_mut();
        if is_end || packed.len() >= PIECE_BYTES { mem::take(packed).into() } else { Bytes::new() }
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

    use flate2::read::GzDecoder;
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
            work(Writer::new(pieces, &handle, &clock, &hinders, Format::Json, false))
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

    /// Lines, a part of which no compression makes shorter.
    fn lines(count: u32) -> Vec<String> {
        let number = |line: u32| (0..8).map(move |part: u32| line.wrapping_mul(0x9E37_79B9).rotate_left(part * 5));
        (0..count).map(|line| number(line).map(|part| format!("{part:08x}")).collect::<String>() + "\n").collect()
    }

    /// What a client that takes gzip has got of these lines, and whether it was told that this is all.
    fn sent_as_gzip(lines: &[String], is_finished: bool) -> (Vec<Bytes>, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (pieces, mut client) = mpsc::channel(1000);
        let (handle, lines) = (runtime.handle().clone(), lines.to_vec());
        let work = move || {
            let (clock, hinders) = (Ticking::default(), || false);
            let mut writer = Writer::new(pieces, &handle, &clock, &hinders, Format::Json, true);
            for line in lines {
                writer.text.push_str(&line);
                assert!(writer.text.len() < PIECE_BYTES || writer.flush(false));
                assert!(writer.gzip.as_ref().is_some_and(|gzip| gzip.get_ref().len() < PIECE_BYTES), "it is bounded");
            }
            if is_finished {
                writer.finish(());
            }
        };
        runtime.block_on(runtime.spawn_blocking(work)).unwrap();
        let (mut got, mut is_whole) = (Vec::new(), false);
        while let Ok(piece) = client.try_recv() {
            match piece {
                Piece::Data(bytes) => got.push(bytes),
                Piece::End => is_whole = true,
            }
        }
        (got, is_whole)
    }

    fn unpacked(pieces: &[Bytes]) -> std::io::Result<String> {
        std::io::read_to_string(GzDecoder::new(&*pieces.concat()))
    }

    #[test]
    fn compressed_pieces_unpack_to_the_text_and_what_breaks_off_does_not_unpack() {
        let many = lines(20_000);
        let (pieces, is_whole) = sent_as_gzip(&many, true);
        assert!(is_whole && pieces.len() > 3, "{} pieces", pieces.len());
        assert!(pieces.iter().map(Bytes::len).sum::<usize>() < many.concat().len());
        assert_eq!(unpacked(&pieces).unwrap(), many.concat());
        let (pieces, is_whole) = sent_as_gzip(&many, false);
        assert!(!is_whole && !pieces.is_empty());
        unpacked(&pieces).expect_err("the end is missing");
        let (pieces, is_whole) = sent_as_gzip(&[], true);
        assert!(is_whole, "nothing is all there is");
        assert_eq!(unpacked(&pieces).unwrap(), "");
    }
}
