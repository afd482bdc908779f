//! `GET /api/stats/export`: the range as a file.
//!
//! ```text
//! daily.rs    kind=daily     one line for every local day; whole
//! events.rs   kind=events    every stored column of every event; streamed from one snapshot
//! writer.rs   its pieces, and when a client has had its time
//! cells.rs    values as CSV and as JSON
//! ```
//! A stream holds a few pieces, and breaks the connection off unless everything was sent, so that no part passes for the
//! whole.

mod cells;
mod daily;
mod events;
mod writer;

use hyper::header::HeaderValue;

use super::params::value;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::server::envelope::accepts_gzip;
use crate::subject;

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// The report; further parameters: `format`, `kind`, and for events `visitor_id` or `user_id`.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let format = match value(&pairs, "format") {
        None | Some("csv") => Format::Csv,
        Some("json") => Format::Json,
        Some(other) => {
            return Err(ApiError::bad_request(format!("Invalid format: '{other}'. Use 'csv' or 'json'.")));
        }
    };
    super::refuse_comparison(&pairs, "an export")?;
    let question = super::params(app, &pairs)?.question(app.now())?;
    match value(&pairs, "kind") {
        None | Some("daily") => {
            if let Some(name) = ["visitor_id", "user_id"].into_iter().find(|name| value(&pairs, name).is_some()) {
                return Err(ApiError::bad_request(format!("{name} needs kind=events: days are of everybody")));
            }
            daily::get(app, question, format).await
        }
        Some("events") => {
            let subject = subject::of(app, &pairs, &question.site)?;
            events::get(app, question, format, subject, accepts_gzip(request.headers())).await
        }
        Some(other) => Err(ApiError::bad_request(format!("Invalid kind: '{other}'. Use 'daily' or 'events'."))),
    }
}
