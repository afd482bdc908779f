//! Losses that an operator knows of: `POST /api/store/acknowledge-loss` of a running server, `mallard-metrics
//! acknowledge-loss` of a stopped one. Both say what there was; afterwards health is no longer degraded by it, while every
//! answer that misses data goes on saying so.

use std::sync::Arc;

use mallard_engine::{Config, Engine, env};
use serde::Serialize;
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::app::App;
use crate::backup::command::Store;
use crate::cli;
use crate::config::Environment;
use crate::error::ApiError;
use crate::exit::Failure;
use crate::request_id;
use crate::response::{self, Response};

#[derive(Debug, Serialize)]
struct Wire {
    acknowledged: Vec<String>,
}

/// Acknowledges; durable before the answer.
pub(crate) async fn post(app: &App) -> Result<Response, ApiError> {
    let engine = Arc::clone(&app.engine);
    let outcome =
        spawn_blocking(request_id::carry(move || engine.acknowledge_loss())).await.map_err(ApiError::internal)?;
    let acknowledged = outcome.map_err(ApiError::internal)?;
    for loss in &acknowledged {
        warn!(loss, "An operator acknowledged a loss");
    }
    response::json(&Wire { acknowledged })
}

/// Acknowledges the losses of a store that no server has open, and prints them.
pub(crate) fn run(store: &Store, environment: &Environment) -> Result<(), Failure> {
    let on_corruption = store.config(environment)?.on_corruption;
    let mut config = Config::new(store.existing_as_owner(environment)?);
    // What the operator wants to be refused is not rewritten either, and a loss that nobody has seen is not acknowledged.
    config.wal.on_corruption = on_corruption;
    let engine = Engine::open_existing(config, env::real())?;
    let losses = engine.acknowledge_loss()?;
    engine.close()?;
    let text = match losses.as_slice() {
        [] => "nothing is lost\n".to_owned(),
        losses => losses.iter().map(|loss| format!("acknowledged: {loss}\n")).collect(),
    };
    cli::print(&text)
}
