//! Goals: what a site wants its visitors to do, and the endpoints that keep the list. How goals were met is
//! [`crate::stats::goals`].
//!
//! ```text
//! GET, POST        /api/sites/{site_id}/goals         the list; a new goal, 201
//! PUT, DELETE      /api/sites/{site_id}/goals/{id}
//! ```
//! A goal is `{"id", "name", "page"}` or `{"id", "name", "event"}`: a pageview whose path is like the pattern, in which
//! each `*` stands for any characters, or an event of this name. Only a site with events has goals. The document `goals`
//! is durable before a change is answered. Ids are never given out twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use mallard_engine::FunnelStep;
use mallard_event::SiteId;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::auth::Principal;
use crate::documents::{Document, DocumentError, Documents};
use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, Response};
use crate::shelf::Shelf;
use crate::sites::site_of;

const DOCUMENT: Document = Document { name: "goals", consequence: "the goals of all sites are then gone" };
const BODY_BYTES_MAX: usize = 8 << 10;
const GOALS_MAX: usize = 100;
/// All of them, at their longest, are below the longest control document.
const TOTAL_MAX: usize = 1000;
const CHARACTERS_MAX: usize = 256;

/// The goals of all sites.
#[derive(Clone, Debug)]
pub(crate) struct Goals(Arc<Shelf<Book>>);

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Book {
    last_id: u64,
    sites: BTreeMap<String, Vec<Goal>>,
}

/// One goal; exactly one of `page` and `event` is there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Goal {
    pub(crate) id: u64,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
}

/// What a client says of a goal. Without a name it has that of what it is about.
#[derive(Debug, Deserialize)]
struct Wish {
    name: Option<String>,
    page: Option<String>,
    event: Option<String>,
}

#[derive(Debug, Serialize)]
struct Removed {
    status: &'static str,
}

impl Goals {
    /// Reads the document.
    pub(crate) fn open(documents: Arc<dyn Documents>) -> Result<Self, DocumentError> {
        Shelf::open(DOCUMENT, documents).map(Self)
    }

    /// Those of a site, in the order of their making.
    pub(crate) fn of(&self, site: &SiteId) -> Vec<Goal> {
        self.0.book().sites.get(site.as_str()).cloned().unwrap_or_default()
    }

    /// What meets each of them, by its name.
    pub(crate) fn steps(&self, site: &SiteId) -> Vec<(String, FunnelStep)> {
        self.of(site).into_iter().map(|goal| (goal.name.clone(), goal.step())).collect()
    }
}

impl Book {
    fn goal(&mut self, site: &SiteId, id: u64) -> Result<&mut Goal, ApiError> {
        let goals = self.sites.get_mut(site.as_str()).into_iter().flatten();
        goals.into_iter().find(|goal| goal.id == id).ok_or(ApiError::NotFound)
    }

    fn add(&mut self, site: &SiteId, wish: Wish) -> Result<Goal, ApiError> {
        let goal = wish.goal(self.last_id + 1)?;
        if self.sites.values().map(Vec::len).sum::<usize>() >= TOTAL_MAX {
            return Err(ApiError::Conflict(format!("At most {TOTAL_MAX} goals are kept in all").into()));
        }
        let goals = self.sites.entry(site.as_str().to_owned()).or_default();
        if goals.len() >= GOALS_MAX {
            return Err(ApiError::bad_request(format!("A site has at most {GOALS_MAX} goals")));
        }
        goals.push(goal.clone());
        self.last_id += 1;
        Ok(goal)
    }

    fn remove(&mut self, site: &SiteId, id: u64) -> Result<(), ApiError> {
        self.goal(site, id)?;
        if let Some(goals) = self.sites.get_mut(site.as_str()) {
            goals.retain(|goal| goal.id != id);
        }
        Ok(())
    }
}

impl Goal {
    /// What an event must be to meet it.
    pub(crate) fn step(&self) -> FunnelStep {
        match (&self.page, &self.event) {
            (Some(pattern), _) => FunnelStep::Views(pattern.as_str().into()),
            (None, event) => FunnelStep::Event(event.as_deref().unwrap_or_default().into()),
        }
    }
}

impl Wish {
    fn goal(self, id: u64) -> Result<Goal, ApiError> {
        let about = match (&self.page, &self.event) {
            (Some(page), None) => bounded("page", page)?,
            (None, Some(event)) => bounded("event", event)?,
            _ => return Err(ApiError::bad_request("A goal has either a page or an event")),
        };
        let name = self.name.as_deref().map_or(Ok(about.clone()), |name| bounded("name", name))?;
        let trimmed = |text: Option<String>| text.map(|text| text.trim().to_owned());
        Ok(Goal { id, name, page: trimmed(self.page), event: trimmed(self.event) })
    }
}

fn bounded(field: &str, text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    match text.chars().count() {
        1..=CHARACTERS_MAX => Ok(text.to_owned()),
        _ => Err(ApiError::bad_request(format!("{field} must be between 1 and {CHARACTERS_MAX} characters"))),
    }
}

/// The list.
pub(crate) fn list(app: &App, principal: Option<&Principal>, site: &str) -> Result<Response, ApiError> {
    let site = site_of(site)?;
    principal.map_or(Ok(()), |principal| principal.require_site(site.as_str()))?;
    response::json(&app.goals.of(&site))
}

/// A new goal.
pub(crate) async fn add(app: &App, request: Request, site: &str) -> Result<Response, ApiError> {
    let site = site_of(site)?;
    if !app.engine.knows_site(&site) {
        return Err(ApiError::NotFound);
    }
    let wish: Wish = request.into_json(BODY_BYTES_MAX).await?;
    let goal = app.goals.0.change_apart(move |book| book.add(&site, wish)).await?;
    let mut response = response::json(&goal)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// The same goal with another content.
pub(crate) async fn replace(app: &App, request: Request, site: &str, id: &str) -> Result<Response, ApiError> {
    let (site, id) = (site_of(site)?, id_of(id)?);
    let wish: Wish = request.into_json(BODY_BYTES_MAX).await?;
    let goal = app.goals.0.change_apart(move |book| {
        let goal = book.goal(&site, id)?;
        *goal = wish.goal(id)?;
        Ok(goal.clone())
    });
    response::json(&goal.await?)
}

/// No goal any more.
pub(crate) async fn remove(app: &App, site: &str, id: &str) -> Result<Response, ApiError> {
    let (site, id) = (site_of(site)?, id_of(id)?);
    app.goals.0.change_apart(move |book| book.remove(&site, id)).await?;
    response::json(&Removed { status: "removed" })
}

/// The number of a goal.
pub(crate) fn id_of(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::memory::Memory;

    fn wish(page: &str) -> Wish {
        Wish { name: None, page: Some(page.into()), event: None }
    }

    #[test]
    fn goals_are_bounded_for_a_site_and_in_all() {
        let goals = Goals::open(Arc::new(Memory::default())).unwrap();
        let add = |site: String| {
            let site = SiteId::parse(&site).unwrap();
            goals.0.change(|book| book.add(&site, wish("/")))
        };
        for number in 0..TOTAL_MAX {
            add(format!("site-{}", number / GOALS_MAX)).unwrap();
        }
        assert_eq!(add("another".into()).unwrap_err().to_string(), "At most 1000 goals are kept in all");
        assert_eq!(goals.of(&SiteId::parse("site-0").unwrap()).len(), GOALS_MAX);
    }

    #[test]
    fn every_goal_that_is_kept_can_be_filtered_by() {
        let longest = format!("/{}*", ".é(".repeat(84));
        let goal = wish(&longest).goal(1).unwrap();
        assert_eq!(longest.chars().count(), 254);
        assert!(goal.step().filter().is_ok());
    }
}
