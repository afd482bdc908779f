//! `mallard-metrics verify`: whether everything that was accepted is still there and readable, for an operator or a
//! scheduled job. Read-only, beside a running server or without one.

use clap::Args;
use mallard_engine::{Checked, Verification, env};
use serde_json::{Value, json};

use crate::backup::command::Store;
use crate::cli;
use crate::config::Environment;
use crate::exit::Failure;
use crate::progress;

/// What to verify, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: Store,
}

/// Verifies and prints what was found. Damage is a failure, and so is a loss that an earlier start recorded.
pub(crate) fn run(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let data_dir = options.store.data_dir(environment)?;
    let bar = progress::of_bytes("verifying");
    let outcome = mallard_engine::verify(&data_dir, &env::real(), &mut progress::show(&bar));
    bar.finish_and_clear();
    let found = match outcome {
        Ok(found) => found,
        Err(error) => {
            if options.json {
                cli::print(&format!("{}\n", json!({ "sound": false, "error": error.to_string() })))?;
            }
            return Err(Failure::Store(error));
        }
    };
    let text = if options.json { format!("{}\n", as_json(&found)) } else { as_text(&found) };
    cli::print(&text)?;
    if found.is_sound() {
        Ok(())
    } else {
        Err(Failure::Unsound { faults: found.faults.len(), lost: lost(&found), repaired: found.repaired.len() })
    }
}

fn lost(found: &Verification) -> u64 {
    found.lost.iter().map(|(first, last)| last - first + 1).sum()
}

fn as_text(found: &Verification) -> String {
    let line = |what: &str, checked: &Checked, unit: &str| {
        format!("{what}: {} files, {} bytes, {} {unit}\n", checked.files, checked.bytes, checked.records)
    };
    let mut text = line("log", &found.log, "records") + &line("Parquet", &found.parquet, "rows");
    text += &format!("durable LSN {}, of which in Parquet {}\n", found.durable_lsn, found.compacted_lsn);
    if found.unaccounted > 0 {
        text += &format!(
            "{} positions of the log are in no file: erasures, or what a repair could not tell\n",
            found.unaccounted
        );
    }
    for (first, last) in &found.lost {
        text += &format!("lost lsn {first}-{last}\n");
    }
    for repaired in &found.repaired {
        text += &format!("{repaired}\n");
    }
    for known in &found.acknowledged {
        text += &format!("acknowledged: {known}\n");
    }
    for fault in &found.faults {
        text += &format!("damaged: {fault}\n");
    }
    if found.is_sound() {
        text += "sound\n";
    }
    text
}

fn as_json(found: &Verification) -> Value {
    let checked =
        |checked: &Checked| json!({ "files": checked.files, "bytes": checked.bytes, "records": checked.records });
    let faults = found.faults.iter().map(|fault| {
        let (site, date) = fault.affects.clone().unzip();
        json!({ "path": fault.path, "what": fault.what, "site_id": site, "date": date })
    });
    json!({
        "sound": found.is_sound(),
        "error": null,
        "durable_lsn": found.durable_lsn,
        "compacted_lsn": found.compacted_lsn,
        "log": checked(&found.log),
        "parquet": checked(&found.parquet),
        "unaccounted": found.unaccounted,
        "lost": found.lost.iter().map(|(first, last)| json!({ "first_lsn": first, "last_lsn": last })).collect::<Vec<_>>(),
        "repaired": found.repaired,
        "acknowledged": found.acknowledged,
        "faults": faults.collect::<Vec<_>>(),
    })
}
