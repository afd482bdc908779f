//! Whose events a request is about: the parameters `visitor_id` and `user_id` of an erasure and of an export.
//!
//! A user id becomes its hash here and goes no further.

use mallard_event::{SiteId, Subject, VisitorId};

use crate::app::App;
use crate::error::ApiError;
use crate::request::Pairs;
use crate::stats::params::value;

const USER_ID_BYTES_MAX: usize = 256;

/// One visitor or one user of `site`; `None` if the request names nobody.
pub(crate) fn of(app: &App, pairs: &Pairs<'_>, site: &SiteId) -> Result<Option<Subject>, ApiError> {
    match (value(pairs, "visitor_id"), value(pairs, "user_id")) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(ApiError::bad_request("Give visitor_id or user_id, not both")),
        (Some(text), None) => {
            let visitor = VisitorId::parse(text).map_err(|invalid| {
                ApiError::bad_request(format!("visitor_id {}", invalid.to_string().trim_start_matches("visitor id ")))
            })?;
            Ok(Some(Subject::visitor(site, &visitor)))
        }
        (None, Some(user)) if (1..=USER_ID_BYTES_MAX).contains(&user.len()) => {
            Ok(Some(Subject::user(site, &app.enrich.user_hash(site, user))))
        }
        (None, Some(_)) => Err(ApiError::bad_request("user_id must be 1 to 256 bytes")),
    }
}
