//! hyper in, hyper out: the HTTP front of Mallard Metrics, and everything between a command line and the engine.
//!
//! ```text
//! main -> cli -> serve: config, logging, engine, App, listener, orderly stop
//!                  server   sockets, limits, deadlines, what every answer carries
//!                  routes   the table: method, path -> handler
//!                    ingest     events in               auth      who may do what
//!                    stats      questions and answers   enrich    payload -> event; addresses end here
//!                    sites, health, metrics, files      assets    the embedded dashboard and tracker
//! ```
//! Async stops here: the engine below has threads, bounded queues and blocking calls. The runtime has one thread; what
//! may block (queries, password hashes, closing the store) runs on its blocking threads.
//!
//! This crate writes no SQL, touches no file under the data directory, and does not know the log or the Parquet files:
//! all of that is the engine's. Time comes from the engine's clock.

pub mod app;
mod aside;
mod assets;
pub mod auth;
mod backup;
pub mod cli;
pub mod config;
mod demo;
pub mod documents;
pub mod enrich;
mod erase;
pub mod error;
mod exit;
mod files;
mod funnels;
mod goals;
mod health;
mod healthcheck;
mod ingest;
mod logging;
mod loss;
mod memory;
pub mod metrics;
mod openapi;
pub mod plausible;
mod privileges;
mod progress;
mod repair;
pub mod request;
mod request_id;
pub mod response;
mod routes;
pub mod segments;
mod serve;
pub mod server;
mod shelf;
pub mod sites;
mod sql;
pub mod stats;
mod subject;
mod verify;
