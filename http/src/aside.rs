//! Documents under `control/` that cannot be read: at a start, those that the server can do without set themselves aside.
//!
//! ```text
//! sites goals funnels segments   set aside, kept in quarantine/; health is degraded and says what follows
//! salt sessions                  removed: neither may outlive its day; today's visitors count once more, people log in again
//! password keys                  refused, exit 74: going on would open the server, or lock its programs out without a word
//! ```
//! Why so: `docs/decisions/0013-what-a-start-refuses.md`. `mallard-metrics repair` sets aside whatever cannot be read.

use std::sync::Arc;

use mallard_engine::Engine;
use mallard_engine::env::Entropy;
use mallard_event::Timestamp;

use crate::backup::WITHOUT;
use crate::documents::{DocumentError, Documents};
use crate::exit::Failure;
use crate::funnels::Funnels;
use crate::goals::Goals;
use crate::segments::Segments;
use crate::sites::settings::SiteSettings;
use crate::{auth, enrich};

/// The documents without which a server can go on.
const DISPENSABLE: [&str; 6] = ["sites", "goals", "funnels", "segments", "salt", "sessions"];

/// Reads every document as a start does.
pub(crate) fn check(
    documents: &Arc<dyn Documents>,
    entropy: &Arc<dyn Entropy>,
    now: Timestamp,
) -> Result<(), DocumentError> {
    auth::check(documents, entropy)?;
    enrich::check(documents, entropy, now)?;
    SiteSettings::open(Arc::clone(documents))?;
    Goals::open(Arc::clone(documents))?;
    Funnels::open(Arc::clone(documents))?;
    Segments::open(Arc::clone(documents))?;
    Ok(())
}

/// Whether the original of a document may be kept.
pub(crate) fn may_be_kept(name: &str) -> bool {
    // What may not be in a copy, as it must not outlive its day, may not be kept either.
    !WITHOUT.contains(&name)
}

/// Sets aside what is damaged and dispensable, until everything can be read, or something else cannot.
pub(crate) fn set_damaged_aside(
    engine: &Arc<Engine>,
    entropy: &Arc<dyn Entropy>,
    now: Timestamp,
) -> Result<(), Failure> {
    let documents: Arc<dyn Documents> = Arc::clone(engine) as _;
    loop {
        match check(&documents, entropy, now) {
            Ok(()) => return Ok(()),
            Err(DocumentError::Damaged { name, cause, consequence }) if DISPENSABLE.contains(&name) => {
                let what = format!("it is damaged ({cause}): {consequence}");
                engine.set_aside_document(name, &what, may_be_kept(name))?;
            }
            Err(error) => return Err(Failure::Documents(error.to_string())),
        }
    }
}
