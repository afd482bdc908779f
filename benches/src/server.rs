//! The real server as a process, and what it says it has stored.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
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

    /// The events that this process has stored, by its metrics.
    pub fn events_ingested(&self) -> u64 {
        let metrics = self.exchange("GET", "/metrics", "", "");
        let mut lines = metrics.lines().filter_map(|line| line.strip_prefix("mallard_events_ingested_total "));
        lines.next().and_then(|count| count.parse().ok()).expect("a count of events")
    }

    /// A session of the dashboard, as a header.
    pub fn log_in(&self) -> String {
        let body = r#"{"password":"benchmark"}"#;
        let answer = self.exchange("POST", "/api/auth/login", "content-type: application/json\r\n", body);
        let cookie = answer.split("mm_session=").nth(1).and_then(|rest| rest.split(';').next());
        format!("cookie: mm_session={}\r\n", cookie.expect("a session cookie"))
    }

    /// Pageviews of the load generator's site in the last days, by a report; `None` as long as there is no answer.
    pub fn pageviews(&self, session: &str) -> Option<u64> {
        let answer = self.exchange("GET", "/api/stats/main?site_id=bench.example&period=7d", session, "");
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let report: serde_json::Value = serde_json::from_str(body).ok()?;
        head.starts_with("HTTP/1.1 200").then(|| report.get("total_pageviews")?.as_u64())?
    }

    /// Sends a request on a connection of its own; the whole answer.
    fn exchange(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}", self.address);
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).expect("a request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
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
