//! [`SiteSettings`]: what an operator has decided about a site: its time zone, and whether its users are identified.
//!
//! ```text
//! control/sites: {"sites":[{"site_id":..,"timezone":..,"identify_users":..}, ..]}, by name; a site that is not in it has the
//! defaults: UTC, nobody is identified
//! ```
//! A change is durable before it is visible, and readers never wait for the disk.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use jiff::tz::TimeZone;
use mallard_event::SiteId;
use serde::{Deserialize, Serialize};

use crate::documents::{Document, DocumentError, Documents};

/// Sites whose settings are kept.
pub(super) const SITES_MAX: usize = 10_000;

// A document has 4 MiB: the longest id and zone, and what stands around them, must fit.
const _: () = assert!(SITES_MAX * (256 + 64 + 64) < 4 << 20);

const DOCUMENT: Document =
    Document { name: "sites", consequence: "all sites have the time zone UTC, and no users are identified" };

/// The settings of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose calendar counts unless a question says otherwise; has an IANA name.
    pub zone: TimeZone,
    /// Whether a sender with a key may name the site's users, of which a keyed hash is stored.
    pub identify_users: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, identify_users: false }
    }
}

impl Settings {
    /// The zone's IANA name.
    pub fn timezone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// What is to be changed; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Another zone.
    pub zone: Option<TimeZone>,
    /// Another decision about users.
    pub identify_users: Option<bool>,
}

/// As many sites have settings as may have.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany;

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    sites: Vec<StoredSite>,
}

#[derive(Serialize, Deserialize)]
struct StoredSite {
    site_id: String,
    timezone: String,
    identify_users: bool,
}

/// The settings of all sites.
pub struct SiteSettings {
    documents: Arc<dyn Documents>,
    by_site: RwLock<BTreeMap<SiteId, Settings>>,
    /// Held from reading `by_site` to publishing what became of it, so that no change is lost.
    changing: Mutex<()>,
}

impl SiteSettings {
    /// Reads the settings of earlier lives of the process.
    pub fn open(documents: Arc<dyn Documents>) -> Result<Self, DocumentError> {
        let stored = DOCUMENT.read::<Stored>(documents.as_ref())?.unwrap_or_default();
        let sites = stored.sites.iter().map(StoredSite::parse).collect::<Option<_>>();
        let by_site = RwLock::new(sites.ok_or_else(|| DOCUMENT.damaged("a site is malformed"))?);
        Ok(Self { documents, by_site, changing: Mutex::default() })
    }

    /// The settings of `site`.
    pub fn get(&self, site: &SiteId) -> Settings {
        self.by_site().get(site).cloned().unwrap_or_default()
    }

    /// Changes the settings of `site`. Blocks; durable on return.
    pub fn change(&self, site: &SiteId, change: Change) -> Result<Result<Settings, TooMany>, DocumentError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sites = self.by_site().clone();
        if !sites.contains_key(site) && sites.len() >= SITES_MAX {
            return Ok(Err(TooMany));
        }
        let settings = sites.entry(site.clone()).or_default();
        settings.zone = change.zone.unwrap_or_else(|| settings.zone.clone());
        settings.identify_users = change.identify_users.unwrap_or(settings.identify_users);
        let changed = settings.clone();
        let stored = Stored { sites: sites.iter().map(StoredSite::of).collect() };
        DOCUMENT.write(&stored, self.documents.as_ref())?;
        // IMPORTANT: durable first, visible second.
        *self.by_site.write().unwrap_or_else(PoisonError::into_inner) = sites;
        Ok(Ok(changed))
    }

    fn by_site(&self) -> RwLockReadGuard<'_, BTreeMap<SiteId, Settings>> {
        self.by_site.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoredSite {
    fn of((site, settings): (&SiteId, &Settings)) -> Self {
        Self {
            site_id: site.as_str().to_owned(),
            timezone: settings.timezone().to_owned(),
            identify_users: settings.identify_users,
        }
    }

    fn parse(&self) -> Option<(SiteId, Settings)> {
        let zone = TimeZone::get(&self.timezone).ok()?;
        Some((SiteId::parse(&self.site_id).ok()?, Settings { zone, identify_users: self.identify_users }))
    }
}

impl fmt::Debug for SiteSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteSettings").field("sites", &self.by_site().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::memory::Memory;

    fn open(documents: &Arc<Memory>) -> SiteSettings {
        let documents: Arc<Memory> = Arc::clone(documents);
        SiteSettings::open(documents).unwrap()
    }

    fn site() -> SiteId {
        SiteId::parse("a.example").unwrap()
    }

    fn berlin() -> Change {
        Change { zone: Some(TimeZone::get("Europe/Berlin").unwrap()), identify_users: None }
    }

    #[test]
    fn a_change_is_partial_and_survives_a_restart() {
        let documents = Arc::<Memory>::default();
        let settings = open(&documents);
        assert_eq!(settings.get(&site()), Settings::default());
        settings.change(&site(), berlin()).unwrap().unwrap();
        settings.change(&site(), Change { identify_users: Some(true), ..Change::default() }).unwrap().unwrap();
        for settings in [settings, open(&documents)] {
            let found = settings.get(&site());
            assert_eq!((found.timezone(), found.identify_users), ("Europe/Berlin", true));
            assert_eq!(settings.get(&SiteId::parse("b.example").unwrap()), Settings::default());
        }
    }

    #[test]
    fn a_change_that_could_not_be_stored_is_not_in_force() {
        let documents = Arc::<Memory>::default();
        let settings = open(&documents);
        documents.set_full(true);
        assert!(settings.change(&site(), berlin()).is_err());
        assert_eq!(settings.get(&site()), Settings::default());
    }

    #[test]
    fn unreadable_settings_are_an_error_and_never_the_defaults() {
        for text in ["", "{}", r#"{"sites":[{"site_id":"a","timezone":"Mars/Base","identify_users":true}]}"#] {
            let documents = Arc::<Memory>::default();
            documents.put("sites", text);
            let error = SiteSettings::open(documents).err().unwrap().to_string();
            assert!(error.contains("`sites` is damaged"), "{error}");
        }
    }
}
