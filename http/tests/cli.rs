//! The binary as an operator meets it: help, checks of the configuration, exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output, Stdio};

use support::Server;
use support::http::Client;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    command.env_clear().envs(variables.iter().copied()).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_and_version_are_on_standard_output() {
    let version = run(&["--version"], &[]);
    assert_eq!(
        (version.status.code(), stdout(&version)),
        (Some(0), format!("mallard-metrics {}\n", env!("CARGO_PKG_VERSION")))
    );
    let help = run(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    // Wrapped at the width of the terminal.
    let text: Vec<String> = stdout(&help).split_whitespace().map(str::to_owned).collect();
    let said = "MALLARD_FLUSH_INTERVAL compact when an event waits so long: a whole number 1 to 86400 seconds [default: 300 s] \
                [in the file: flush_interval_secs]";
    assert!(text.join(" ").contains(said), "{}", stdout(&help));
    for command in ["serve", "check-config", "healthcheck", "verify", "repair"] {
        assert_eq!(run(&[command, "--help"], &[]).status.code(), Some(0), "{command}");
    }
}

#[test]
fn a_wrong_value_stops_the_start_with_code_64_and_names_what_is_allowed() {
    for command in ["serve", "check-config"] {
        let output = run(&[command], &[("MALLARD_PORT", "x")]);
        assert_eq!(output.status.code(), Some(64), "{command}");
        assert_eq!(stderr(&output), "Configuration error: MALLARD_PORT=\"x\": expected a whole number 0 to 65535\n");
    }
    let unknown = run(&["--prot", "1"], &[]);
    assert_eq!(unknown.status.code(), Some(64));
    assert!(stderr(&unknown).starts_with("Configuration error: "), "{}", stderr(&unknown));
    let misspelt = stderr(&run(&["chek-config"], &[]));
    assert!(misspelt.starts_with("Configuration error: cannot read chek-config: "), "{misspelt}");
    assert!(misspelt.ends_with("; it is no command either, see --help\n"), "{misspelt}");
}

#[test]
fn check_config_shows_what_counts_and_hides_secrets() {
    let variables = [
        ("MALLARD_PORT", "8080"),
        ("MALLARD_SECRET", "do-not-show-this-secret"),
        ("MALLARD_ADMIN_PASSWORD", "nor-this-one"),
        ("MALLARD_FLUSHCOUNT", "7"),
        ("MALLARD_RATE_LIMIT", "200"),
    ];
    let output = run(&["check-config"], &variables);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.contains("MALLARD_PORT=\"8080\" (environment)\n"), "{text}");
    assert!(text.contains("MALLARD_HOST=\"0.0.0.0\" (default)\n"), "{text}");
    assert!(text.contains("MALLARD_SECRET=(hidden) (environment)\n"), "{text}");
    assert!(!text.contains("do-not-show") && !text.contains("nor-this"), "{text}");
    assert!(text.contains("MALLARD_FLUSHCOUNT is ignored; did you mean MALLARD_FLUSH_COUNT?"), "{text}");
    assert!(text.contains("MALLARD_RATE_LIMIT=\"200\" (environment)\n"), "{text}");
}

#[test]
fn a_second_server_on_the_same_data_directory_ends_with_code_75() {
    let data_dir = tempfile::tempdir().unwrap();
    let _server = Server::start(data_dir.path(), &[]);
    let folder = data_dir.path().to_str().unwrap();
    let second = run(&[], &[("MALLARD_DATA_DIR", folder), ("MALLARD_PORT", "0")]);
    assert_eq!(second.status.code(), Some(75), "{}", stderr(&second));
}

#[test]
fn a_port_in_use_is_code_69_and_a_data_directory_that_cannot_be_is_73() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    let port = server.address().port().to_string();
    let other = tempfile::tempdir().unwrap();
    let variables = [("MALLARD_HOST", "127.0.0.1"), ("MALLARD_PORT", port.as_str())];
    let taken = run(&[], &[&variables[..], &[("MALLARD_DATA_DIR", other.path().to_str().unwrap())]].concat());
    assert_eq!(taken.status.code(), Some(69), "{}", stderr(&taken));

    let file = other.path().join("file");
    std::os::unix::fs::symlink("/proc/version", &file).unwrap();
    let below = file.join("data");
    let impossible = run(&[], &[("MALLARD_PORT", "0"), ("MALLARD_DATA_DIR", below.to_str().unwrap())]);
    assert_eq!(impossible.status.code(), Some(73), "{}", stderr(&impossible));
}

#[test]
fn healthcheck_is_0_for_a_ready_server_and_1_for_none() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    let port = server.address().port().to_string();
    assert_eq!(run(&["healthcheck"], &[("MALLARD_PORT", &port)]).status.code(), Some(0));
    let file = data_dir.path().join("mallard.toml");
    std::fs::write(&file, format!("host = \"127.0.0.1\"\nport = {port}\n")).unwrap();
    let file = file.to_str().unwrap();
    for arguments in [&["healthcheck", "--config", file][..], &["healthcheck", file]] {
        assert_eq!(run(arguments, &[]).status.code(), Some(0), "{arguments:?}");
        let elsewhere = run(arguments, &[("MALLARD_PORT", "1")]);
        assert_eq!(elsewhere.status.code(), Some(1), "the environment comes first: {}", stderr(&elsewhere));
    }
    let url = format!("http://{}/health/ready", server.address());
    assert_eq!(run(&["healthcheck", "--url", &url, "--timeout", "10"], &[]).status.code(), Some(0));
    server.kill();
    assert_eq!(run(&["healthcheck"], &[("MALLARD_PORT", &port)]).status.code(), Some(1));
    assert_eq!(run(&["healthcheck", "--url", "gopher://x"], &[]).status.code(), Some(64));
}

#[test]
fn a_server_of_which_nothing_but_the_port_is_set_says_where_it_is_and_how_to_begin() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    command.env_clear().env("MALLARD_PORT", "0").current_dir(home.path()).stdout(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut after = |mark: &str| {
        let (line, said) = lines.find_map(|line| Some((line.clone(), line.split_once(mark)?.1.to_owned()))).unwrap();
        let (at, level) = line.split_once(' ').unwrap();
        assert!(at.parse::<jiff::Timestamp>().is_ok() && level.contains(" mallard_metrics: "), "{line}");
        said
    };
    let address: SocketAddr = after("INFO mallard_metrics: Listening addr=").parse().unwrap();
    assert!(address.ip().is_unspecified() && address.port() > 0, "{address}");
    let token = after("asks for this set-up token: ");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let body = format!("{{\"password\":\"long enough\",\"setup_token\":\"{token}\"}}");
    // As from another machine, behind a proxy.
    let headers = [("content-type", "application/json"), ("x-forwarded-for", "203.0.113.7")];
    let chosen = Client::connect(address).unwrap().request("POST", "/api/auth/setup", &headers, &body).unwrap();
    assert_eq!(chosen.status, 200, "{}", chosen.text());
    assert!(home.path().join("data/STORE").is_file());
    server.kill().unwrap();
    server.wait().unwrap();
}
