//! Every stored column of every event of the range, streamed.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use mallard_engine::{Engine, Export, Filter, QueryError, Question};
use mallard_event::{Stored, Subject};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Sender};
use tracing::error;

use super::{CSV, Format, cells};
use crate::app::App;
use crate::error::ApiError;
use crate::response::{self, Broken, Response};
use crate::stats;

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
/// Text that is collected before it is sent.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that may wait for the client.
const PIECES_WAITING_MAX: usize = 2;
/// How long a client may take nothing before the export ends.
const STALL_MAX: Duration = Duration::from_mins(1);

/// The file, as it is made. With a `subject`, only its events.
pub(super) async fn get(
    app: &App,
    question: Question,
    format: Format,
    subject: Option<Subject>,
) -> Result<Response, ApiError> {
    if question.filter != Filter::default() {
        return Err(ApiError::bad_request("kind=events cannot be filtered. Remove the filters."));
    }
    let export = app.engine.export(question).map_err(|error| stats::failed(app, error))?;
    let (as_of, incomplete) = (export.as_of(), export.incomplete().to_vec());
    let (pieces, body) = mpsc::channel(PIECES_WAITING_MAX);
    let writer = Writer { pieces, runtime: Handle::current(), format, text: String::new() };
    let engine = Arc::clone(&app.engine);
    let started = app.exports.start(move || write(&engine, &export, subject, writer)).await;
    started.inspect_err(|_| app.metrics.query_refused("concurrency"))?;
    let file = match format {
        Format::Csv => response::as_file(response::stream(CSV, body), "events.csv")?,
        Format::Json => response::as_file(response::stream(NDJSON, body), "events.ndjson")?,
    };
    stats::based_on(as_of, &incomplete, file)
}

/// Sends the whole export, on a thread that may block.
fn write(engine: &Engine, export: &Export, subject: Option<Subject>, mut writer: Writer) {
    if writer.format == Format::Csv {
        writer.text = cells::csv_header();
    }
    let is_wanted = |row: &Stored| subject.is_none_or(|subject| subject.is_of(&row.event));
    let sent = engine.send(export, &mut |row| !writer.pieces.is_closed() && (!is_wanted(row) || writer.push(row)));
    match sent {
        Ok(()) => writer.flush(),
        Err(QueryError::Cancelled) => false,
        Err(cause) => {
            error!(%cause, "export of events broke off");
            writer.send(Err(Broken))
        }
    };
}

/// Text on its way to a client.
struct Writer {
    pieces: Sender<Result<Bytes, Broken>>,
    runtime: Handle,
    format: Format,
    text: String,
}

impl Writer {
    /// Adds a row; `false` when the client takes nothing any more.
    fn push(&mut self, row: &Stored) -> bool {
        match self.format {
            Format::Csv => cells::push_csv(&mut self.text, row),
            Format::Json => cells::push_json(&mut self.text, row),
        }
        self.text.len() < PIECE_BYTES || self.flush()
    }

    fn flush(&mut self) -> bool {
        let text = mem::take(&mut self.text);
        text.is_empty() || self.send(Ok(text.into()))
    }

    fn send(&self, piece: Result<Bytes, Broken>) -> bool {
        self.runtime.block_on(self.pieces.send_timeout(piece, STALL_MAX)).is_ok()
    }
}
