//! The real binary as a process, and a small blocking HTTP client, for the tests of this folder.
//!
//! A server listens on a free port and writes into a folder of the test; it is found by the address in its `Listening`
//! line. Dropping a [`Server`] kills it. Nothing here waits on time: every wait is for a line, an answer or an exit.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

pub(crate) mod http;
pub(crate) mod large;
pub(crate) mod load;
pub(crate) mod mmdb;
pub(crate) mod skip;
pub(crate) mod volume;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use http::{Client, Response};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::{Value, json};

/// The password that the servers of tests are started with.
const PASSWORD: &str = "correct horse battery";

/// How long a test waits for what must come: only a run that would hang for ever gets that far.
const PATIENCE: Duration = Duration::from_mins(3);

/// Asks again and again until it is so, and fails with a message where it never is.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "this does not come true: {what}");
        thread::yield_now();
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    started: Vec<Value>,
    log: Receiver<Value>,
}

impl Server {
    /// Starts the binary on `data_dir` with further environment variables; returns when it listens.
    pub(crate) fn start(data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_mallard-metrics")), data_dir, variables)
    }

    /// Starts the binary with these arguments, which must make a server of it.
    pub(crate) fn run(arguments: &[&str], data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
        command.args(arguments);
        Self::spawn(command, data_dir, variables)
    }

    /// A server for which a write that makes a file longer than the limit is an error and not the end.
    pub(crate) fn with_file_limits(data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\"", env!("CARGO_BIN_EXE_mallard-metrics")]);
        Self::spawn(shell, data_dir, &[variables, &[("MALLARD_ADMIN_PASSWORD", PASSWORD)]].concat())
    }

    /// A server in a cgroup.
    pub(crate) fn in_cgroup(group: &Path, data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "echo $$ > \"$1/cgroup.procs\" && exec \"$0\"", env!("CARGO_BIN_EXE_mallard-metrics")])
            .arg(group);
        Self::spawn(shell, data_dir, &[variables, &[("MALLARD_ADMIN_PASSWORD", PASSWORD)]].concat())
    }

    /// From now on no file of the server may be written.
    pub(crate) fn forbid_writes(&self) {
        let limit = Rlimit { current: Some(0), maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).expect("the server runs");
    }

    fn spawn(mut command: Command, data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = command
            .env_clear()
            .env("MALLARD_HOST", "127.0.0.1")
            .env("MALLARD_PORT", "0")
            .env("MALLARD_DATA_DIR", data_dir)
            .env("MALLARD_LOG_FORMAT", "json")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (lines, log) = mpsc::channel();
        let stdout = child.stdout.take().expect("its output is piped");
        thread::spawn(move || forward(stdout, &lines));
        let mut started = Vec::new();
        let listening = log.iter().find(|line| {
            started.push(line.clone());
            line["fields"]["message"] == "Listening"
        });
        let Some(listening) = listening else { panic!("the server ended: {:?}", child.wait()) };
        let address = listening["fields"]["addr"].as_str().and_then(|text| text.parse().ok()).expect("an address");
        Self { child, address, started, log }
    }

    /// The lines of the log before and with the one that says where it listens.
    pub(crate) fn start_lines(&self) -> &[Value] {
        &self.started
    }

    /// A server with the password of the tests.
    pub(crate) fn with_password(data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start(data_dir, &[variables, &[("MALLARD_ADMIN_PASSWORD", PASSWORD)]].concat())
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address).expect("the server accepts connections")
    }

    /// One GET on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.connect().request("GET", path, &[], "").expect("an answer")
    }

    /// One event, as the tracker sends it.
    pub(crate) fn post_event(&self, event: &Value) -> Response {
        self.connect().post_event(event).expect("an answer")
    }

    /// A batch from a program with this key; every item must be stored.
    pub(crate) fn post_batch(&self, key: &str, events: &Value) {
        let headers = [("x-api-key", key), ("content-type", "application/json")];
        let answer = self.connect().request("POST", "/api/events", &headers, &events.to_string()).expect("an answer");
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(
            (answer.status, body["accepted"].as_u64()),
            (202, events.as_array().map(|all| all.len() as u64)),
            "{body}"
        );
    }

    /// A figure without labels, or with those that `name` has.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {text}"))
    }

    /// Logs in with the password of the tests.
    pub(crate) fn log_in(&self) -> Session<'_> {
        self.log_in_with(PASSWORD)
    }

    /// Logs in with another one.
    pub(crate) fn log_in_with(&self, password: &str) -> Session<'_> {
        let body = json!({ "password": password }).to_string();
        let headers = [("content-type", "application/json")];
        let answer = self.connect().request("POST", "/api/auth/login", &headers, &body).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
        Session { server: self, cookie: cookie.to_owned() }
    }

    /// The next line of the log that has this message.
    pub(crate) fn logged(&self, message: &str) -> Value {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no line \"{message}\": {error}"));
            if line["fields"]["message"] == message {
                return line;
            }
        }
    }

    /// The next line of the log.
    pub(crate) fn next_line(&self) -> Value {
        self.log.recv_timeout(PATIENCE).expect("a line, before the server ends")
    }

    /// SIGKILL; returns when the process is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("the server ends");
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server runs");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("the server ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Passes log lines on, and goes on reading when nobody listens any more: a full pipe would stop the server.
fn forward(stdout: ChildStdout, lines: &Sender<Value>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(line) => lines.send(line).unwrap_or(()),
            Err(_) => println!("not JSON in the log: {line}"),
        }
    }
}

/// A logged-in dashboard.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    server: &'a Server,
    cookie: String,
}

impl Session<'_> {
    /// Its cookie, as a header's value.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// GET with the session's cookie.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.server.connect().request("GET", path, &[("cookie", &self.cookie)], "").expect("an answer")
    }

    /// POST without a body, with the session's cookie and, if given, an `Origin`.
    pub(crate) fn post(&self, path: &str, origin: Option<&str>) -> Response {
        self.change("POST", path, origin)
    }

    /// POST of JSON, as a program without an `Origin` sends it.
    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Response {
        let headers = [("cookie", self.cookie.as_str()), ("content-type", "application/json")];
        self.server.connect().request("POST", path, &headers, &body.to_string()).expect("an answer")
    }

    /// A change with a JSON body, from the server's own page.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        let headers =
            [("cookie", self.cookie.as_str()), ("origin", "http://localhost"), ("content-type", "application/json")];
        self.server.connect().request(method, path, &headers, &body.to_string()).expect("an answer")
    }

    /// The same with one more header.
    pub(crate) fn post_json_from(&self, header: (&str, &str), path: &str, body: &Value) -> Response {
        let headers = [("cookie", self.cookie.as_str()), ("content-type", "application/json"), header];
        self.server.connect().request("POST", path, &headers, &body.to_string()).expect("an answer")
    }

    /// DELETE, likewise.
    pub(crate) fn delete(&self, path: &str, origin: Option<&str>) -> Response {
        self.change("DELETE", path, origin)
    }

    /// A request of the dashboard's own page with a JSON body.
    pub(crate) fn send_json(&self, method: &str, path: &str, body: &Value) -> Response {
        let headers = [("cookie", self.cookie.as_str()), ("origin", "http://localhost")];
        self.server.connect().request(method, path, &headers, &body.to_string()).expect("an answer")
    }

    /// Makes an API key and returns its text.
    pub(crate) fn create_key(&self, body: &Value) -> String {
        let answer = self.send_json("POST", "/api/keys", body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        let created: Value = serde_json::from_slice(&answer.body).expect("JSON");
        created["key"].as_str().expect("a key").to_owned()
    }

    /// A DELETE for another thread, of a server that may end before it answers.
    pub(crate) fn deleting(
        &self,
        path: String,
        origin: &'static str,
    ) -> impl FnOnce() -> Option<Response> + Send + use<> {
        let (address, cookie) = (self.server.address, self.cookie.clone());
        move || {
            let headers = [("cookie", cookie.as_str()), ("origin", origin)];
            Client::connect(address).ok()?.request("DELETE", &path, &headers, "").ok()
        }
    }

    fn change(&self, method: &str, path: &str, origin: Option<&str>) -> Response {
        let mut headers = vec![("cookie", self.cookie.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        self.server.connect().request(method, path, &headers, "").expect("an answer")
    }

    /// GET of JSON, which must succeed.
    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Pageviews of a site today.
    pub(crate) fn pageviews(&self, site: &str) -> u64 {
        let main = self.json(&format!("/api/stats/main?site_id={site}&period=day"));
        main["total_pageviews"].as_u64().expect("a number")
    }
}
