//! The real server as a process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::stopwatch::Stopwatch;

/// A running `mallard-metrics`; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From exec to the line that says it listens, in milliseconds.
    pub listening_ms: f64,
}

impl Server {
    /// Starts the binary over `data_dir` on a free port and waits until it listens.
    pub fn start(data_dir: &Path) -> Self {
        // Built before the watch starts: cargo takes longer to see that there is nothing to do than the server to start.
        let binary = binary();
        let watch = Stopwatch::start();
        let mut child = Command::new(binary)
            .env("MALLARD_DATA_DIR", data_dir)
            .env("MALLARD_HOST", "127.0.0.1")
            .env("MALLARD_PORT", "0")
            .env("MALLARD_ADMIN_PASSWORD", "benchmark")
            .env("MALLARD_LOG_FORMAT", "json")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the release binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| listening(&line))
            .expect("the server says where it listens");
        let listening_ms = watch.seconds() * 1e3;
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, listening_ms }
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server is gone");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    (fields.get("message")? == "Listening").then(|| fields.get("addr")?.as_str()?.parse().ok())?
}

/// The binary that `MALLARD_BENCH_BINARY` names, such as that of an image; otherwise the one beside this benchmark, built first, so
/// that no stale one is measured.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("MALLARD_BENCH_BINARY") {
        return named.into();
    }
    let built = Command::new(env!("CARGO"))
        // One selection of packages, as everywhere: another one compiles DuckDB again.
        .args(["build", "--release", "--quiet", "--workspace", "--bin", "mallard-metrics"])
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the server does not build");
    let own = std::env::current_exe().expect("the benchmark's own path");
    own.ancestors().nth(2).expect("the profile's folder").join("mallard-metrics")
}
