//! The deployment files against the binary: what they set is known and accepted, and what they promise about privacy and
//! the platform's checks is in them. The image itself is tried by `scripts/image`.

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

use std::fs;
use std::path::Path;
use std::process::Command;

use support::skip::skip;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)).unwrap()
}

/// The lines that say something.
fn lines(name: &str) -> Vec<String> {
    let text = file(name);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// What the binary says of these variables.
fn check_config(variables: &[(String, String)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    let output = command.env_clear().envs(variables.iter().cloned()).arg("check-config").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn fly_has_the_block_of_the_guide_and_the_server_takes_all_of_it() {
    let fly: toml::Table = file("fly.toml").parse().unwrap();
    let env = fly["env"].as_table().unwrap();
    let env: Vec<(String, String)> =
        env.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let said = check_config(&env);
    assert!(!said.contains("unknown"), "{said}");
    for (name, value) in &env {
        assert!(said.contains(&format!("{name}=\"{value}\" (environment)")), "{name}: {said}");
    }
    // What the guide does not have, and nothing of what it has is missing or different.
    let mut theirs: toml::Table = include_str!("fixtures/fly-guide.toml").parse().unwrap();
    for ours in ["kill_signal", "kill_timeout", "restart"] {
        assert_eq!(theirs.insert(ours.to_owned(), fly[ours].clone()), None, "{ours}");
    }
    assert_eq!(fly, theirs);
    // The default of MALLARD_SHUTDOWN_TIMEOUT, and a little.
    assert_eq!((fly["kill_signal"].as_str(), fly["kill_timeout"].as_str()), (Some("SIGTERM"), Some("35s")));
}

#[test]
fn the_image_is_one_static_binary_that_checks_itself() {
    let dockerfile = lines("Dockerfile");
    let from: Vec<&String> = dockerfile.iter().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(from.last().unwrap().as_str(), "FROM scratch");
    let last = dockerfile.iter().rposition(|line| line == "FROM scratch").unwrap();
    assert!(dockerfile[..last].iter().any(|line| line.contains("--profile dist") && line.contains("+crt-static")));
    let check = dockerfile.iter().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    assert!(check.ends_with("CMD [\"/mallard-metrics\", \"healthcheck\"]"), "{check}");
    // Root gives itself up: http/tests/privileges.rs.
    assert!(!dockerfile[last..].iter().any(|line| line.starts_with("USER ") || line.starts_with("RUN ")));
    // A kind of machine compiles into a cache of its own, one build at a time.
    let builder = dockerfile.iter().position(|line| line.ends_with(" AS builder")).unwrap();
    let stage = &dockerfile[builder..last];
    assert!(stage.iter().any(|line| line == "ARG TARGETARCH"), "{stage:?}");
    let caches: Vec<&String> = stage.iter().filter(|line| line.contains("type=cache")).collect();
    assert_eq!(caches.len(), 2);
    for cache in caches {
        assert!(cache.contains("-$TARGETARCH,") && cache.contains("sharing=locked"), "{cache}");
    }
    assert!(
        from[0].starts_with("FROM --platform=$BUILDPLATFORM ") && from[0].ends_with(" AS dashboard"),
        "{}",
        from[0]
    );
    for (path, _) in dockerfile.iter().filter_map(|line| line.strip_prefix("COPY ")?.split_once(' ')) {
        assert!(path.starts_with("--from=") || path == "." || path.starts_with("dashboard"), "{path}");
    }
}

#[test]
fn the_toolchain_of_the_image_is_the_projects() {
    let toolchain: toml::Table = file("rust-toolchain.toml").parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let (minor, _patch) = channel.rsplit_once('.').unwrap();
    assert!(file("Dockerfile").contains(&format!("FROM rust:{minor}-")), "{channel}");
}

#[test]
fn the_shipped_proxy_writes_no_address_and_weakens_no_header() {
    for line in lines("deploy/Caddyfile") {
        let directive = line.split_whitespace().next().unwrap();
        assert!(!["log", "header", "header_down", "trusted_proxies", "tls"].contains(&directive), "{line}");
    }
}

#[test]
fn compose_and_the_unit_set_only_variables_that_exist() {
    let known = check_config(&[]);
    for name in ["deploy/compose.yaml", "deploy/example.env", "deploy/mallard-metrics.service"] {
        let text = lines(name).join("\n");
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let is_variable = word.starts_with("MALLARD_");
            assert!(!is_variable || known.contains(&format!("{word}=")), "{name}: {word}");
        }
    }
    let unit = lines("deploy/mallard-metrics.service");
    for line in [
        "Restart=always",
        "RestartPreventExitStatus=64 73 74",
        "NoNewPrivileges=true",
        "CapabilityBoundingSet=",
        "TimeoutStopSec=35",
        "UMask=0077",
    ] {
        assert!(unit.iter().any(|found| found == line), "{line}");
    }
}

/// What a program says of its configuration, if it is installed.
fn verdict(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Option<(bool, String)> {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    for folder in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(folder, home.path());
    }
    let output = command.args(arguments).envs(variables.iter().copied()).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

fn deploy(name: &str) -> String {
    format!("{}/../deploy/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn caddy_takes_the_shipped_file() {
    let caddyfile = deploy("Caddyfile");
    let arguments = ["validate", "--adapter", "caddyfile", "--config", caddyfile.as_str()];
    match verdict("caddy", &arguments, &[("DOMAIN", "stats.example")]) {
        Some((is_valid, said)) => assert!(is_valid && said.contains("Valid configuration"), "{said}"),
        None => skip("caddy is not installed"),
    }
}

#[test]
fn systemd_takes_the_shipped_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("mallard-metrics.service");
    // The binary of the unit is not installed here; this one is.
    let text = file("deploy/mallard-metrics.service");
    let installed = "/usr/local/bin/mallard-metrics";
    assert!(text.contains(installed));
    fs::write(&unit, text.replace(installed, env!("CARGO_BIN_EXE_mallard-metrics"))).unwrap();
    match verdict("systemd-analyze", &["verify", unit.to_str().unwrap()], &[]) {
        Some((is_valid, said)) => assert!(is_valid && !said.contains("mallard-metrics.service"), "{said}"),
        None => skip("systemd-analyze is not installed"),
    }
}

/// The plugin of today, or the program of before, which reads the same files.
const COMPOSE: [(&str, &[&str]); 2] = [("docker", &["compose"]), ("docker-compose", &[])];

#[test]
fn compose_takes_the_shipped_file_with_the_shipped_variables() {
    let is_there = |(program, first): &&(&str, &[&str])| {
        verdict(program, &[*first, &["version"][..]].concat(), &[]).is_some_and(|(is_there, _)| is_there)
    };
    let Some((program, first)) = COMPOSE.iter().find(is_there) else {
        return skip("docker compose is not installed");
    };
    let folder = tempfile::tempdir().unwrap();
    fs::copy(deploy("compose.yaml"), folder.path().join("compose.yaml")).unwrap();
    fs::copy(deploy("example.env"), folder.path().join(".env")).unwrap();
    let compose = folder.path().join("compose.yaml");
    let config = |more: &[&str]| {
        verdict(program, &[*first, &["-f", compose.to_str().unwrap(), "config"][..], more].concat(), &[]).unwrap()
    };
    let (is_valid, said) = config(&["-q"]);
    assert!(is_valid, "{said}");
    let (_, services) = config(&["--services"]);
    let mut services: Vec<&str> = services.lines().collect();
    services.sort_unstable();
    assert_eq!(services, ["caddy", "mallard"]);
    // It is taken for what it is: a wrong word in it is refused.
    fs::write(&compose, file("deploy/compose.yaml").replace("read_only:", "readonly:")).unwrap();
    let (is_valid, said) = config(&["-q"]);
    assert!(!is_valid && said.contains("readonly"), "{said}");
}
