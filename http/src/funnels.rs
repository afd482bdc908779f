//! Funnels of a site that are kept under a name, which the report takes as `funnel=<id>`.
//!
//! | Method, path | |
//! |---|---|
//! | GET /api/sites/{site_id}/funnels | all of a site |
//! | POST /api/sites/{site_id}/funnels | `{"name", "steps": ["page:/pricing", "goal:1"], "window"?}` in, the funnel with its id out, 201 |
//! | DELETE /api/sites/{site_id}/funnels/{id} | |
//!
//! They are one control document, durable before the answer. Ids are never given twice. A step may be a goal by its id, and
//! is then whatever the goal is when the report is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use mallard_event::SiteId;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::auth::Principal;
use crate::documents::{Document, DocumentError, Documents};
use crate::error::ApiError;
use crate::goals::id_of;
use crate::request::Request;
use crate::response::{self, Response};
use crate::shelf::Shelf;
use crate::sites::site_of;
use crate::stats::steps;

const DOCUMENT: Document = Document { name: "funnels", consequence: "the funnels of all sites are then gone" };
const NAME_CHARACTERS_MAX: usize = 256;
const WINDOW_DEFAULT: &str = "1 day";
const PER_SITE_MAX: usize = 100;
/// All of them, each as long as a body may be, are below the longest control document.
const TOTAL_MAX: usize = 200;
const BODY_BYTES_MAX: usize = 16 << 10;

/// The funnels of all sites.
#[derive(Clone, Debug)]
pub(crate) struct Funnels(Arc<Shelf<Book>>);

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Book {
    last_id: u64,
    sites: BTreeMap<String, Vec<SavedFunnel>>,
}

/// One funnel; its steps and its window are as people write them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct SavedFunnel {
    id: u64,
    name: String,
    pub(crate) steps: Vec<String>,
    pub(crate) window: String,
}

#[derive(Debug, Deserialize)]
struct Wish {
    name: String,
    steps: Vec<String>,
    window: Option<String>,
}

#[derive(Debug, Serialize)]
struct Removed {
    status: &'static str,
}

impl Funnels {
    /// Reads the document.
    pub(crate) fn open(documents: Arc<dyn Documents>) -> Result<Self, DocumentError> {
        Shelf::open(DOCUMENT, documents).map(Self)
    }

    /// One funnel of a site.
    pub(crate) fn find(&self, site: &SiteId, id: u64) -> Option<SavedFunnel> {
        self.of(site).into_iter().find(|funnel| funnel.id == id)
    }

    fn of(&self, site: &SiteId) -> Vec<SavedFunnel> {
        self.0.book().sites.get(site.as_str()).cloned().unwrap_or_default()
    }
}

impl Book {
    fn add(&mut self, site: &SiteId, wish: Wish) -> Result<SavedFunnel, ApiError> {
        let total: usize = self.sites.values().map(Vec::len).sum();
        let of_site = self.sites.entry(site.as_str().to_owned()).or_default();
        if of_site.len() >= PER_SITE_MAX || total >= TOTAL_MAX {
            let message = format!("At most {PER_SITE_MAX} funnels per site and {TOTAL_MAX} in all are kept");
            return Err(ApiError::Conflict(message.into()));
        }
        self.last_id += 1;
        let window = wish.window.unwrap_or_else(|| WINDOW_DEFAULT.to_owned());
        let funnel = SavedFunnel { id: self.last_id, name: wish.name, steps: wish.steps, window };
        of_site.push(funnel.clone());
        Ok(funnel)
    }

    fn remove(&mut self, site: &SiteId, id: u64) -> Result<(), ApiError> {
        let funnels = self.sites.get_mut(site.as_str()).ok_or(ApiError::NotFound)?;
        let before = funnels.len();
        funnels.retain(|funnel| funnel.id != id);
        if funnels.len() == before { Err(ApiError::NotFound) } else { Ok(()) }
    }
}

/// The list.
pub(crate) fn list(app: &App, principal: Option<&Principal>, site: &str) -> Result<Response, ApiError> {
    let site = site_of(site)?;
    principal.map_or(Ok(()), |principal| principal.require_site(site.as_str()))?;
    response::json(&app.funnels.of(&site))
}

/// A new funnel.
pub(crate) async fn add(app: &App, request: Request, site: &str) -> Result<Response, ApiError> {
    let site = site_of(site)?;
    if !app.engine.knows_site(&site) {
        return Err(ApiError::NotFound);
    }
    let wish = checked(app, &site, request.into_json(BODY_BYTES_MAX).await?)?;
    let funnel = app.funnels.0.change_apart(move |book| book.add(&site, wish)).await?;
    let mut response = response::json(&funnel)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// No funnel any more.
pub(crate) async fn remove(app: &App, site: &str, id: &str) -> Result<Response, ApiError> {
    let (site, id) = (site_of(site)?, id_of(id)?);
    app.funnels.0.change_apart(move |book| book.remove(&site, id)).await?;
    response::json(&Removed { status: "removed" })
}

/// Refuses what the report would refuse.
fn checked(app: &App, site: &SiteId, wish: Wish) -> Result<Wish, ApiError> {
    if !(1..=NAME_CHARACTERS_MAX).contains(&wish.name.trim().chars().count()) {
        return Err(ApiError::bad_request(format!("name must be between 1 and {NAME_CHARACTERS_MAX} characters")));
    }
    steps::labelled(wish.steps.iter().map(String::as_str), &app.goals.of(site))?;
    steps::window_us(wish.window.as_deref().unwrap_or(WINDOW_DEFAULT))?;
    Ok(wish)
}
