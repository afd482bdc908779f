//! [`Newcomers`]: sites without a stored event whose first events are on their way through the log, so that the limit of sites
//! holds however many arrive at once.
//!
//! An event of such a site carries a [`Newcomer`] until it is in the hot tail, or refused. Committed events drop theirs under
//! the lock of the state that shows them, so a site is counted once: here, or there.
//!
//! IMPORTANT: whoever needs both locks takes the state's first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mallard_event::SiteId;

use super::state::State;
use crate::error::AppendError;

/// The sites, and how many events of each are on their way.
#[derive(Debug, Default)]
pub(crate) struct Newcomers(Mutex<BTreeMap<SiteId, usize>>);

/// An event of a site without a stored one.
#[derive(Debug)]
pub(crate) struct Newcomer {
    newcomers: Arc<Newcomers>,
    site: SiteId,
}

impl Newcomers {
    /// Admits an event of `site`; `None` for a site that is known.
    pub(super) fn admit(
        self: &Arc<Self>,
        state: &State,
        site: &SiteId,
        sites_max: usize,
    ) -> Result<Option<Newcomer>, AppendError> {
        if state.knows_site(site) {
            return Ok(None);
        }
        let mut sites = self.sites();
        if !sites.contains_key(site) {
            let others = sites.keys().filter(|other| !state.knows_site(other)).count();
            if state.site_count() + others >= sites_max {
                return Err(AppendError::TooManySites);
            }
        }
        *sites.entry(site.clone()).or_default() += 1;
        Ok(Some(Newcomer { newcomers: Arc::clone(self), site: site.clone() }))
    }

    fn sites(&self) -> MutexGuard<'_, BTreeMap<SiteId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let mut sites = self.newcomers.sites();
        if let Some(events) = sites.get_mut(&self.site) {
            *events -= 1;
            if *events == 0 {
                sites.remove(&self.site);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mallard_compactor::Manifest;
    use mallard_wal::Lsn;

    use super::*;
    use crate::tail::Tail;

    fn site(name: &str) -> SiteId {
        SiteId::parse(name).unwrap()
    }

    #[test]
    fn sites_on_their_way_count_until_they_are_stored_or_refused() {
        let state = State::new(Arc::new(Manifest::default()), Tail::default(), Lsn::ZERO, Vec::new(), 0);
        let newcomers = Arc::new(Newcomers::default());
        let admit = |name: &str| newcomers.admit(&state, &site(name), 2);
        let first = admit("a.example").unwrap();
        let again = admit("a.example").unwrap();
        let second = admit("b.example").unwrap();
        assert!(matches!(admit("c.example"), Err(AppendError::TooManySites)));
        assert!(admit("b.example").is_ok(), "another event of a site that was admitted");
        drop(first);
        assert!(matches!(admit("c.example"), Err(AppendError::TooManySites)), "one of two is still on its way");
        drop((again, second));
        assert!(admit("c.example").is_ok());
        assert!(newcomers.sites().is_empty());
    }
}
