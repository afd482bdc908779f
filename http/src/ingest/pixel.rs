//! `GET /api/event`: an event from where no script runs. The answer is always the image; its status tells the truth.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use mallard_event::payload::RawPayload;

use super::Outcome;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, Response};

const GIF: HeaderValue = HeaderValue::from_static("image/gif");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// One transparent pixel, GIF89a.
const IMAGE: [u8; 43] = *b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x21\xf9\x04\x01\x00\x00\x00\x00\
                          \x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

/// Answers 200 when the event is durable or a dropped bot's, else the failing status, always with the image.
pub(crate) async fn get(app: &App, request: Request) -> Result<Response, ApiError> {
    let image = Bytes::from_static(&IMAGE);
    let mut response = match receive(app, &request).await {
        Ok(_) => response::body(StatusCode::OK, GIF, image),
        Err(error) => {
            super::count_refusal(app, &error);
            error.into_response_with(GIF, image)
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    Ok(response)
}

async fn receive(app: &App, request: &Request) -> Result<Outcome, ApiError> {
    let pairs = request.query_pairs();
    let raw = RawPayload::from_query(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
    super::accept(app, request, raw.map_err(super::refused)?).await
}
