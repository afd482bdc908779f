//! Every stored column of every event of the range, streamed.

use std::sync::Arc;

use hyper::header::HeaderValue;
use mallard_engine::{Engine, Export, QueryError, Question};
use mallard_event::{Stored, Subject};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::error;

use super::writer::{PIECES_WAITING_MAX, Writer};
use super::{CSV, Format};
use crate::app::App;
use crate::error::ApiError;
use crate::response::{self, Response};
use crate::stats;

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The file, as it is made, compressed as it is made if the client takes that. With a `subject`, only its events.
pub(super) async fn get(
    app: &App,
    question: Question,
    format: Format,
    subject: Option<Subject>,
    is_gzip: bool,
) -> Result<Response, ApiError> {
    let export = app.engine.export(question).map_err(|error| stats::failed(app, error))?;
    let (as_of, incomplete) = (export.as_of(), export.incomplete().to_vec());
    let (pieces, body) = mpsc::channel(PIECES_WAITING_MAX);
    let (engine, clock, runtime) = (Arc::clone(&app.engine), Arc::clone(&app.clock), Handle::current());
    let work = move |permit| {
        let hinders = || engine.hinders_erasure(&export);
        let mut writer = Writer::new(pieces, &runtime, &*clock, &hinders, format, is_gzip);
        if write(&engine, &export, subject, &mut writer) {
            writer.finish(permit);
        }
    };
    app.exports.start(work).await.inspect_err(|_| app.metrics.query_refused("concurrency"))?;
    let file = match format {
        Format::Csv => response::as_file(response::stream(CSV, body), "events.csv")?,
        Format::Json => response::as_file(response::stream(NDJSON, body), "events.ndjson")?,
    };
    stats::based_on(as_of, &incomplete, if is_gzip { response::as_gzip(file) } else { file })
}

/// Hands every event to `writer`, on a thread that may block; whether that was all of them.
fn write(engine: &Engine, export: &Export, subject: Option<Subject>, writer: &mut Writer<'_>) -> bool {
    let is_wanted = |row: &Stored| subject.is_none_or(|subject| subject.is_of(&row.event));
    let sent = engine.send(export, &mut |row| writer.may_go_on() && (!is_wanted(row) || writer.push(row)));
    match sent {
        Ok(()) => return true,
        // The client has gone, or the writer has said why.
        Err(QueryError::Cancelled) => {}
        Err(cause) => error!(%cause, "export of events broke off"),
    }
    false
}
