//! `mallard-metrics repair`: what keeps a server from starting is put right, for a server that is stopped.
//!
//! The engine repairs the store. The documents under `control/` are looked at here, by the code that reads them at a start;
//! one that it cannot read is set aside, and what follows from that is said.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use mallard_engine::env::{self, Env};
use mallard_engine::{Config, Control, Error, Repair, Repaired};
use mallard_event::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::aside;
use crate::backup::command::Store;
use crate::cli;
use crate::config::Environment;
use crate::documents::{DocumentError, Documents};
use crate::exit::Failure;
use crate::progress;

/// What to repair, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Say what would be done, and change nothing: exit code 0 if that is nothing, else 74.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: Store,
}

/// Repairs, and prints what was done.
pub(crate) fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let data_dir = options.store.existing_as_owner(environment)?;
    let env = env::real();
    let mut repair = Repair::begin(Config::new(data_dir), env.clone(), options.dry_run).map_err(failure)?;
    let bar = progress::of_bytes("reading");
    let outcome = repair.store(&mut progress::show(&bar));
    bar.finish_and_clear();
    outcome.map_err(failure)?;
    documents(&mut repair, &env)?;
    let repaired = repair.finish()?;
    let text = match options.json {
        true => format!("{}\n", as_json(&repaired, options.dry_run)),
        false => as_text(&repaired, options.dry_run),
    };
    cli::print(&text)?;
    if options.dry_run && !repaired.is_nothing() { Err(Failure::Unrepaired) } else { Ok(()) }
}

/// What cannot be repaired is about the store, whatever the operating system called it.
fn failure(error: Error) -> Failure {
    match error {
        Error::Locked { .. } => Failure::Locked(error),
        error => Failure::Store(error),
    }
}

/// Sets aside the documents that cannot be read, until all others can.
fn documents(repair: &mut Repair, env: &Env) -> Result<(), Failure> {
    let found = Arc::new(Found { control: repair.control(), without: Mutex::default() });
    loop {
        let documents = Arc::clone(&found) as Arc<dyn Documents>;
        let now = Timestamp::saturating_from_micros(env.clock.now_us());
        let (name, cause, consequence) = match aside::check(&documents, &env.entropy, now) {
            Ok(()) => break,
            Err(DocumentError::Damaged { name, cause, consequence }) => (name, cause, consequence),
            Err(error) => return Err(Failure::Documents(error.to_string())),
        };
        let what = format!("it is damaged ({cause}); set aside: {consequence}");
        repair.set_aside_document(&format!("control/{name}"), &what, aside::may_be_kept(name))?;
        found.without.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    }
    if !found.control.has_usable_secret()? {
        let what = "it holds no text; set aside: a new secret is made, and visitors of today count once more";
        repair.set_aside_document(".secret", what, true)?;
    }
    Ok(())
}

/// The documents as they are, without those that were set aside; nothing is written.
struct Found {
    control: Control,
    without: Mutex<BTreeSet<&'static str>>,
}

impl Documents for Found {
    fn load(&self, name: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, DocumentError> {
        if self.without.lock().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return Ok(None);
        }
        let bytes = self.control.load(name);
        let bytes = bytes.map_err(|error| DocumentError::Store { name, cause: Box::new(error) })?;
        Ok(bytes.map(Zeroizing::new))
    }

    fn store(&self, _name: &'static str, _bytes: &[u8]) -> Result<(), DocumentError> {
        Ok(())
    }

    fn remove(&self, _name: &'static str) -> Result<(), DocumentError> {
        Ok(())
    }
}

fn as_text(repaired: &Repaired, is_dry: bool) -> String {
    if repaired.is_nothing() {
        return "nothing keeps this store from opening\n".to_owned();
    }
    let mut text = String::new();
    for action in &repaired.actions {
        let verb = if is_dry { "would repair" } else { "repaired" };
        text += &format!("{verb}: {}: {}", action.path, action.what);
        if let Some(kept) = &action.kept {
            text += &format!(" -> {kept}");
        }
        text += "\n";
    }
    for loss in &repaired.losses {
        text += &format!("{loss}\n");
    }
    if !is_dry {
        text += "the store opens; health is degraded until `mallard-metrics acknowledge-loss`\n";
    }
    text
}

fn as_json(repaired: &Repaired, is_dry: bool) -> Value {
    let actions = repaired.actions.iter();
    let actions = actions.map(|action| json!({ "path": action.path, "what": action.what, "kept": action.kept }));
    json!({ "dry_run": is_dry, "actions": actions.collect::<Vec<_>>(), "losses": repaired.losses })
}
