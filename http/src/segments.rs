//! Saved segments: filters of a site under a name, which reports take as `["is", "segment", [id]]`.
//!
//! | Method, path | |
//! |---|---|
//! | GET /api/sites/{site_id}/segments | all of a site |
//! | POST /api/sites/{site_id}/segments | `{"name", "filters"}` in, the segment with its id out |
//! | DELETE /api/sites/{site_id}/segments/{id} | |
//!
//! They are one control document, durable before the answer. Ids are never given twice, so that a deleted segment is an
//! error in a report and never another one. A segment cannot contain a segment. A goal in it is what that goal is when the
//! report is asked for; if there is no such goal any more, the report is an error.

use std::sync::Arc;

use hyper::StatusCode;
use mallard_engine::Filter;
use mallard_event::SiteId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::auth::Principal;
use crate::documents::{Document, DocumentError, Documents};
use crate::error::ApiError;
use crate::goals::Goals;
use crate::request::Request;
use crate::request_id;
use crate::response::{self, Response};
use crate::shelf::Shelf;
use crate::sites;
use crate::stats::filter;

const SEGMENTS: Document = Document { name: "segments", consequence: "all saved segments are lost" };
const NAME_CHARACTERS_MAX: usize = 64;
const FILTERS_BYTES_MAX: usize = 4096;
const PER_SITE_MAX: usize = 100;
/// All of them, at their longest, are below the longest control document.
const TOTAL_MAX: usize = 500;
const BODY_BYTES_MAX: usize = 64 << 10;

/// All segments of all sites.
pub struct Segments(Arc<Shelf<Saved>>);

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Saved {
    last_id: u64,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Segment {
    site_id: String,
    id: u64,
    name: String,
    filters: Value,
}

/// What a client sends.
#[derive(Debug, Deserialize)]
struct Draft {
    name: String,
    filters: Value,
}

impl std::fmt::Debug for Segments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segments").finish_non_exhaustive()
    }
}

impl Segments {
    /// Reads what is saved. Blocks.
    pub fn open(documents: Arc<dyn Documents>) -> Result<Self, DocumentError> {
        Shelf::open(SEGMENTS, documents).map(Self)
    }

    /// The filter of a segment of `site`, with its goals as they are now.
    pub(crate) fn filter(&self, site: &SiteId, id: u64, goals: &Goals) -> Option<Result<Filter, ApiError>> {
        let saved = self.0.book();
        let segment = saved.segments.iter().find(|segment| segment.id == id && segment.site_id == site.as_str())?;
        Some(bound(&segment.filters, site, goals))
    }

    fn of(&self, site: &SiteId) -> Vec<Value> {
        self.0.book().segments.iter().filter(|segment| segment.site_id == site.as_str()).map(wire).collect()
    }

    /// Saves a segment and returns it. Blocks.
    fn add(&self, site: &SiteId, draft: Draft) -> Result<Value, ApiError> {
        self.0.change(|saved| {
            let of_site = saved.segments.iter().filter(|segment| segment.site_id == site.as_str()).count();
            if of_site >= PER_SITE_MAX || saved.segments.len() >= TOTAL_MAX {
                let message = format!("At most {PER_SITE_MAX} segments per site and {TOTAL_MAX} in all are kept");
                return Err(ApiError::Conflict(message.into()));
            }
            saved.last_id += 1;
            let Draft { name, filters } = draft;
            let segment = Segment { site_id: site.as_str().to_owned(), id: saved.last_id, name, filters };
            let wire = wire(&segment);
            saved.segments.push(segment);
            Ok(wire)
        })
    }

    /// Removes a segment. Blocks.
    fn remove(&self, site: &SiteId, id: u64) -> Result<(), ApiError> {
        self.0.change(|saved| {
            let before = saved.segments.len();
            saved.segments.retain(|segment| segment.id != id || segment.site_id != site.as_str());
            if saved.segments.len() == before { Err(ApiError::NotFound) } else { Ok(()) }
        })
    }
}

fn wire(segment: &Segment) -> Value {
    json!({ "id": segment.id, "name": segment.name, "filters": segment.filters })
}

/// The segments of a site.
pub(crate) fn list(app: &App, principal: Option<&Principal>, site: &str) -> Result<Response, ApiError> {
    let name = sites::site_of(site)?;
    principal.map_or(Ok(()), |principal| principal.require_site(name.as_str()))?;
    response::json(&app.segments.of(&known(app, site)?))
}

/// Saves a segment; durable before the answer.
pub(crate) async fn add(app: &App, site: &str, request: Request) -> Result<Response, ApiError> {
    let site = known(app, site)?;
    let draft = checked(request.into_json(BODY_BYTES_MAX).await?)?;
    let (segments, goals) = (Arc::clone(&app.segments), app.goals.clone());
    let add = move || {
        tried(&draft, &site, &goals)?;
        segments.add(&site, draft)
    };
    let added = spawn_blocking(request_id::carry(add)).await.map_err(ApiError::internal)??;
    let mut response = response::json(&added)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Removes a segment; durable before the answer.
pub(crate) async fn remove(app: &App, site: &str, id: &str) -> Result<Response, ApiError> {
    let site = known(app, site)?;
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    let segments = Arc::clone(&app.segments);
    spawn_blocking(request_id::carry(move || segments.remove(&site, id))).await.map_err(ApiError::internal)??;
    response::json(&json!({ "status": "deleted" }))
}

/// A site that has events: others would let anybody with access fill the document with names.
fn known(app: &App, site: &str) -> Result<SiteId, ApiError> {
    let site = sites::site_of(site)?;
    if app.engine.knows_site(&site) { Ok(site) } else { Err(ApiError::NotFound) }
}

fn checked(draft: Draft) -> Result<Draft, ApiError> {
    if !(1..=NAME_CHARACTERS_MAX).contains(&draft.name.chars().count()) || draft.name.trim().is_empty() {
        return Err(ApiError::bad_request(format!("name must be between 1 and {NAME_CHARACTERS_MAX} characters")));
    }
    if draft.filters.to_string().len() > FILTERS_BYTES_MAX {
        return Err(ApiError::bad_request(format!("filters: at most {FILTERS_BYTES_MAX} bytes are kept")));
    }
    Ok(draft)
}

/// The filter of a segment. It knows the goals of its site, and no segment.
fn bound(filters: &Value, site: &SiteId, goals: &Goals) -> Result<Filter, ApiError> {
    filter::from_json(filters, filter::Saved { segment: &|_| None, goals: &|| goals.steps(site) })
}

/// Refuses a segment that a report would refuse. Takes as long as its patterns take to be compiled.
fn tried(draft: &Draft, site: &SiteId, goals: &Goals) -> Result<(), ApiError> {
    let filter = bound(&draft.filters, site, goals)?;
    filter.tried().map_err(|error| ApiError::bad_request(format!("filters: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::memory::Memory;

    fn site(name: &str) -> SiteId {
        SiteId::parse(name).unwrap()
    }

    fn draft(name: &str) -> Draft {
        Draft { name: name.into(), filters: json!([["is", "event:page", ["/"]]]) }
    }

    #[test]
    fn a_segment_is_one_of_its_site_survives_and_its_id_is_not_given_twice() {
        let documents = Arc::new(Memory::default());
        let open = || Segments::open(Arc::clone(&documents) as Arc<dyn Documents>).unwrap();
        let segments = open();
        assert_eq!(segments.add(&site("a"), draft("one")).unwrap()["id"], 1);
        assert_eq!(segments.add(&site("b"), draft("two")).unwrap()["id"], 2);
        segments.remove(&site("b"), 2).unwrap();
        assert!(segments.remove(&site("b"), 1).is_err(), "that is the other site's");
        let segments = open();
        assert_eq!((segments.of(&site("a")).len(), segments.of(&site("b")).len()), (1, 0));
        let goals = Goals::open(Arc::new(Memory::default())).unwrap();
        let is_there = |name: &str| segments.filter(&site(name), 1, &goals).is_some();
        assert!(is_there("a") && !is_there("b"));
        assert_eq!(segments.add(&site("b"), draft("three")).unwrap()["id"], 3);
    }

    #[test]
    fn what_could_not_be_written_is_not_saved_and_segments_are_bounded() {
        let documents = Arc::new(Memory::default());
        let segments = Segments::open(Arc::clone(&documents) as Arc<dyn Documents>).unwrap();
        documents.set_full(true);
        assert!(segments.add(&site("a"), draft("one")).is_err());
        assert!(segments.of(&site("a")).is_empty());
        documents.set_full(false);
        for _ in 0..PER_SITE_MAX {
            segments.add(&site("a"), draft("one")).unwrap();
        }
        assert_eq!(segments.add(&site("a"), draft("one")).unwrap_err().status(), StatusCode::CONFLICT);
        segments.add(&site("b"), draft("one")).unwrap();
    }

    #[test]
    fn a_segment_has_a_name_and_filters_without_segments() {
        assert!(checked(draft("x")).is_ok());
        assert!(checked(draft(" ")).is_err() && checked(draft(&"x".repeat(65))).is_err());
        let goals = Goals::open(Arc::new(Memory::default())).unwrap();
        let tried = |draft: &Draft| tried(draft, &site("a"), &goals);
        let nested = Draft { name: "x".into(), filters: json!([["is", "segment", [1]]]) };
        assert_eq!(tried(&nested).unwrap_err().to_string(), "filters[0][2]: there is no segment 1");
        let unknown = Draft { name: "x".into(), filters: json!([["is", "event:goal", ["Sign-up"]]]) };
        assert_eq!(tried(&unknown).unwrap_err().to_string(), "filters[0][2]: there is no goal 'Sign-up'");
        let wrong = Draft { name: "x".into(), filters: json!([["matches", "event:page", ["("]]]) };
        assert_eq!(
            tried(&wrong).unwrap_err().to_string(),
            "filters: '(' is not a regular expression in RE2 syntax: unclosed group"
        );
        let long = Draft { name: "x".into(), filters: json!([["is", "event:page", ["x".repeat(4096)]]]) };
        assert_eq!(checked(long).unwrap_err().to_string(), "filters: at most 4096 bytes are kept");
    }
}
