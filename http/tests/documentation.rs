//! What the documentation says, tried: every fenced snippet of README.md, docs/ and deploy/ is executed against the real
//! binary, and its tables of variables and metrics are compared with what the binary has.
//!
//! A comment that readers do not see, on the line before a fence, says how:
//!
//! | `<!-- run -->` | `sh` in a folder of the file's own, with a server on its `data` that has two events |
//! | `<!-- run: stopped -->` | the same without a server |
//! | `<!-- config -->` | `toml`: `check-config` takes it without a warning |
//! | `<!-- event -->` | `json`: the server stores it |
//! | `<!-- page -->` | `html`: each script that it names is served |
//! | `<!-- by: FILE -->` | `sh`: each line stands in that file of the repository, which CI runs |
//! | `<!-- elsewhere -->` | `sh` for another machine or a platform: its syntax, its subcommands and its variables are checked |
//! | `<!-- npm -->` | `sh` in the folder of the page: each line is a command of npm, whose script is in the `package.json` there |
//! | `<!-- from here: PROGRAMS -->` | `sh` that runs here, where these programs only note that they were called; also checked like the one above |
//!
//! The blocks of deploy/vps.md are executed as well, in a root of their own: `http/tests/vps.rs`.
//!
//! A `text` block after a snippet is what it prints; `...` stands for anything within a line. Anything else fails.

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

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::Server;

const BINARY: &str = env!("CARGO_BIN_EXE_mallard-metrics");
/// Where the documentation says that the server is.
const ADDRESSES: [&str; 2] = ["http://localhost:8000", "https://analytics.example.com"];
/// The password of the server that `run` snippets see, which they have as `$PASSWORD`.
const PASSWORD: &str = "correct horse battery";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The pages in the root and in dashboard/, and every page of docs/ and deploy/.
fn pages() -> Vec<PathBuf> {
    let mut pages = ["README.md", "CONTRIBUTING.md", "dashboard/README.md"].map(|page| root().join(page)).to_vec();
    for folder in ["docs", "docs/decisions", "deploy"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages.sort();
    pages
}

/// A fenced block.
#[derive(Debug)]
struct Snippet {
    /// File and line, for whoever has to repair it.
    place: String,
    language: String,
    /// What the comment before it says.
    mark: String,
    text: String,
    /// What it prints, if the page says so.
    output: Option<String>,
}

fn snippets(page: &Path) -> Vec<Snippet> {
    let text = fs::read_to_string(page).unwrap();
    let name = page.strip_prefix(root()).unwrap().display().to_string();
    let mut found: Vec<Snippet> = Vec::new();
    let (mut mark, mut previous_is_snippet, mut lines) = (String::new(), false, text.lines().enumerate());
    while let Some((number, line)) = lines.next() {
        let place = format!("{name}:{}", number + 1);
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let body: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
            let body = body.iter().map(|line| format!("{line}\n")).collect();
            match (language, mark.is_empty()) {
                ("text", true) if previous_is_snippet => found.last_mut().unwrap().output = Some(body),
                ("text", true) => {}
                _ => found.push(Snippet {
                    place,
                    language: language.into(),
                    mark: mark.clone(),
                    text: body,
                    output: None,
                }),
            }
            previous_is_snippet = language != "text";
            mark.clear();
        } else if let Some(comment) = line.trim().strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
            comment.clone_into(&mut mark);
        } else if !line.trim().is_empty() {
            assert!(!line.starts_with("    ") || line.trim_start().starts_with(['-', '*', '|']), "{place}: fence it");
            (mark, previous_is_snippet) = (String::new(), false);
        }
    }
    found
}

/// A folder for the snippets of one page, with the binary on the path, and a server where they ask for one.
struct Workshop {
    folder: tempfile::TempDir,
    server: Option<Server>,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(BINARY, folder.path().join("bin/mallard-metrics")).unwrap();
        Self { folder, server: None }
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn server(&mut self) -> &Server {
        let data_dir = self.data_dir();
        self.server.get_or_insert_with(|| {
            let variables = [("MALLARD_METRICS_TOKEN", "token"), ("MALLARD_ADMIN_PASSWORD", PASSWORD)];
            let server = Server::start(&data_dir, &variables);
            for path in ["/", "/pricing"] {
                let url = format!("https://example.com{path}");
                let event = json!({ "d": "example.com", "n": "pageview", "u": url });
                assert_eq!(server.post_event(&event).status, 202);
            }
            server
        })
    }

    fn run(&mut self, snippet: &Snippet, with_server: bool) {
        let mut text = snippet.text.clone();
        if with_server {
            let address = format!("http://{}", self.server().address());
            for known in ADDRESSES {
                text = text.replace(known, &address);
            }
        } else if self.data_dir().exists() {
            self.server.take();
        } else {
            self.server();
            self.server.take();
        }
        let output = self.shell(&text);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {}\n{printed}{errors}", snippet.place, output.status);
        if let Some(expected) = &snippet.output {
            let is_so = expected.lines().count() == printed.lines().count()
                && expected.lines().zip(printed.lines()).all(|(pattern, line)| matches(pattern, line));
            assert!(is_so, "{}: expected\n{expected}and got\n{printed}{errors}", snippet.place);
        }
    }

    /// Runs a snippet beside a store, with programs that note how they were called, take what they are given, and answer `done`;
    /// `ssh` runs what it is told to run on the other machine.
    fn run_with_stubs(&mut self, snippet: &Snippet, programs: &str) {
        self.server();
        let calls = self.folder.path().join("calls");
        fs::write(&calls, "").unwrap();
        for program in programs.split(' ') {
            let work = if program == "ssh" { "sh -c \"$2\"" } else { "[ -t 0 ] || cat > /dev/null; echo done" };
            let stub = self.folder.path().join("bin").join(program);
            let noted = format!("echo \"{program} $*\" >> {}", calls.display());
            fs::write(&stub, format!("#!/bin/sh\n{noted}\n{work}\n")).unwrap();
            fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let deploy = self.folder.path().join("deploy");
        fs::create_dir_all(&deploy).unwrap();
        for file in fs::read_dir(root().join("deploy")).unwrap().map(|entry| entry.unwrap()) {
            fs::copy(file.path(), deploy.join(file.file_name())).unwrap();
        }
        let output = self.shell(&snippet.text);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {}\n{errors}", snippet.place, output.status);
        let called = fs::read_to_string(&calls).unwrap();
        for program in programs.split(' ') {
            let lines = snippet
                .text
                .lines()
                .filter(|line| line.split("| ").any(|part| part.starts_with(&format!("{program} "))));
            let noted = called.lines().filter(|line| line.starts_with(&format!("{program} ")));
            assert_eq!(noted.count(), lines.count(), "{}: {called}", snippet.place);
            fs::remove_file(self.folder.path().join("bin").join(program)).unwrap();
        }
    }

    fn shell(&self, text: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.folder.path().join("bin").display());
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", text]).current_dir(self.folder.path()).env_clear().env("PATH", path);
        let variables = [
            ("PASSWORD", PASSWORD),
            ("METRICS_TOKEN", "token"),
            ("MALLARD_DATA_DIR", "data"),
            ("APP", "mallard-metrics-mine"),
        ];
        command.envs(variables).output().unwrap()
    }
}

/// Whether a line is as the page has it; `...` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("...");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || pattern.ends_with("...")
}

#[test]
fn every_snippet_of_the_documentation_works() {
    let mut tried = 0;
    for page in pages() {
        let mut workshop = Workshop::new();
        for snippet in snippets(&page) {
            try_out(&snippet, &mut workshop);
            tried += 1;
        }
    }
    println!("{tried} snippets");
    assert!(tried >= 20, "only {tried} snippets were found");
}

fn try_out(snippet: &Snippet, workshop: &mut Workshop) {
    let place = &snippet.place;
    match (snippet.language.as_str(), snippet.mark.as_str()) {
        ("sh", "run") => workshop.run(snippet, true),
        ("sh", "run: stopped") => workshop.run(snippet, false),
        ("sh", "elsewhere") => examine(snippet),
        ("sh", mark) if mark.starts_with("from here: ") => {
            examine(snippet);
            workshop.run_with_stubs(snippet, &mark["from here: ".len()..]);
        }
        ("sh", "npm") => is_of_npm(snippet),
        ("sh", mark) if mark.starts_with("by: ") => stands_in(snippet, &mark["by: ".len()..]),
        ("toml", "config") => {
            let file = workshop.folder.path().join("mallard.toml");
            fs::write(&file, &snippet.text).unwrap();
            let output = Command::new(BINARY).env_clear().arg("check-config").arg(&file).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && !text.contains("warning:"), "{place}: {text}{output:?}");
        }
        ("json", "event") => {
            let event: Value = serde_json::from_str(&snippet.text).unwrap_or_else(|error| panic!("{place}: {error}"));
            let answer = workshop.server().post_event(&event);
            assert!(answer.status == 202 && answer.lsn().is_some(), "{place}: {} {}", answer.status, answer.text());
        }
        ("html", "page") => {
            let sources: Vec<&str> =
                snippet.text.split("src=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
            assert!(!sources.is_empty() && snippet.text.contains("data-domain=\""), "{place}: no script");
            for source in sources {
                let path = source.strip_prefix(ADDRESSES[1]).unwrap_or_else(|| panic!("{place}: {source}"));
                let answer = workshop.server().get(path);
                assert_eq!(
                    (answer.status, answer.header("content-type")),
                    (200, Some("text/javascript; charset=utf-8"))
                );
            }
        }
        (language, mark) => panic!("{place}: nothing is known of a snippet of `{language}` with the mark `{mark}`"),
    }
}

/// A snippet for another machine: whether it is shell, and whether what it says of this program is true.
fn examine(snippet: &Snippet) {
    let output = Command::new("/bin/sh").args(["-nc", &snippet.text]).output().unwrap();
    assert!(output.status.success(), "{}: {}", snippet.place, String::from_utf8_lossy(&output.stderr));
    let known = variables_of_the_binary();
    for word in words(&snippet.text).filter(|word| word.starts_with("MALLARD_")) {
        assert!(known.iter().any(|(name, _)| name == word), "{}: {word} is no variable", snippet.place);
    }
    for rest in snippet.text.split("mallard-metrics ").skip(1) {
        let subcommand = rest.split_whitespace().next().unwrap_or_default();
        if subcommand.starts_with(|c: char| c.is_ascii_lowercase())
            && subcommand.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        {
            let help = Command::new(BINARY).args([subcommand, "--help"]).output().unwrap();
            assert!(help.status.success(), "{}: mallard-metrics {subcommand}", snippet.place);
        }
    }
}

fn stands_in(snippet: &Snippet, file: &str) {
    let text = fs::read_to_string(root().join(file)).unwrap();
    for line in snippet.text.lines() {
        let command = line.split("  #").next().unwrap().trim();
        assert!(text.contains(command), "{}: `{command}` is not run by {file}", snippet.place);
    }
}

fn is_of_npm(snippet: &Snippet) {
    let place = &snippet.place;
    let folder = root().join(place.rsplit_once('/').unwrap().0);
    let package = fs::read_to_string(folder.join("package.json")).unwrap();
    let package: Value = serde_json::from_str(&package).unwrap();
    for line in snippet.text.lines() {
        let mut words = line.split("  #").next().unwrap().split_whitespace().skip_while(|word| word.contains('='));
        assert_eq!(words.next(), Some("npm"), "{place}: {line}");
        let script = match words.next() {
            Some("run") => words.next(),
            Some("ci") => {
                assert!(folder.join("package-lock.json").exists(), "{place}: {line}");
                continue;
            }
            other => other,
        };
        let script = script.unwrap_or_default();
        assert!(package["scripts"][script].is_string(), "{place}: package.json has no script `{script}`");
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// Name and default of every public variable, as `check-config` has them.
fn variables_of_the_binary() -> Vec<(String, String)> {
    let output = Command::new(BINARY).env_clear().arg("check-config").output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let variables = lines.lines().filter_map(|line| line.strip_suffix(" (default)")?.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// The rows of the table between the comments `<!-- NAME -->` and `<!-- /NAME -->` of docs/operations.md.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, from) = text.split_once(&format!("<!-- {name} -->")).expect(name);
    let (table, _) = from.split_once(&format!("<!-- /{name} -->")).expect(name);
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect();
    rows.map(cells).collect()
}

#[test]
fn the_table_of_variables_is_that_of_the_binary() {
    let documented: Vec<(String, String)> = rows("variables")
        .iter()
        .map(|row| (row[0].split_whitespace().next().unwrap().to_owned(), row[2].clone()))
        .collect();
    let known: Vec<(String, String)> = variables_of_the_binary()
        .into_iter()
        .map(|(name, value)| (name, if value == "(unset)" { "unset".to_owned() } else { value }))
        .collect();
    assert_eq!(
        documented, known,
        "docs/operations.md: name and default of every variable, in the order of check-config"
    );
    let help = Command::new(BINARY).env_clear().arg("--help").output().unwrap();
    // Wrapped at the width of the terminal.
    let help: Vec<String> = String::from_utf8(help.stdout).unwrap().split_whitespace().map(str::to_owned).collect();
    let help = help.join(" ");
    for row in rows("variables") {
        let name = row[0].split_whitespace().next().unwrap();
        let (_, said) = help.split_once(&format!(" {name} ")).unwrap_or_else(|| panic!("--help lacks {name}"));
        let alias = row[0].split(['(', ')']).nth(1);
        let said = match alias {
            Some(alias) => said.strip_prefix(&format!("(also {alias}) ")).unwrap_or_else(|| panic!("{name}: {said}")),
            None => said,
        };
        assert!(!said.starts_with("(also "), "docs/operations.md lacks the other name of {name}");
        let said = said.split(" MALLARD_").next().unwrap();
        if let Some((_, range)) = said.split_once("a whole number ") {
            let range: Vec<&str> = range.split(' ').take(3).collect();
            assert!(row[3].contains(&range.join(" ")), "{name}: {} is not {range:?}", row[3]);
        }
        assert!(
            row[1] == "-" || help.contains(&format!("[in the file: {}]", row[1])),
            "--help lacks the key {}",
            row[1]
        );
    }
}

#[test]
fn help_has_every_exit_code_and_the_variable_of_fly() {
    let help = Command::new(BINARY).env_clear().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (variables, codes) = help.split_once("Exit codes:").unwrap();
    assert!(variables.contains("FLY_APP_NAME"), "{variables}");
    let first_word = |line: &str| line.split_whitespace().next().and_then(|word| word.parse::<u8>().ok());
    let said: Vec<u8> = codes.lines().filter_map(first_word).collect();
    let operations = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let table = operations.split("<!-- exits -->").nth(1).unwrap().split("<!-- /exits -->").next().unwrap();
    let documented: Vec<u8> = table.lines().filter_map(|row| row.strip_prefix("| ").and_then(first_word)).collect();
    assert_eq!(said, documented, "docs/operations.md has the same codes in the same order");
}

#[test]
fn the_table_of_metrics_is_that_of_the_binary() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    let metrics = server.get("/metrics").text();
    let exposed: BTreeSet<(String, String)> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let documented: BTreeSet<(String, String)> =
        rows("metrics").iter().map(|row| (row[0].split('{').next().unwrap().to_owned(), row[1].clone())).collect();
    assert_eq!(
        exposed, documented,
        "the binary's, described from the first answer on, and those of docs/operations.md"
    );
    for (name, _) in documented {
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name} has no HELP");
    }
}

/// What a constant, or a field of one, is in a source: a number, numbers joined by `<<` or `*`, or so many seconds.
fn constant(place: &str) -> u64 {
    let (file, name) = place.split_once("::").unwrap();
    let source = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let value = source.lines().find_map(|line| {
        let line = line.trim();
        let is_constant = line.contains(&format!("const {name}: ")) && line.ends_with(';');
        let of_field = line.strip_prefix(&format!("{name}: ")).filter(|rest| rest.ends_with(','));
        let value = if is_constant { line.split_once(" = ").map(|(_, value)| value) } else { of_field };
        let value =
            value.map(|value| value.trim_start_matches("Duration::from_secs(").trim_end_matches([';', ',', ')']));
        let value = value.map(|value| value.replace('_', ""));
        value.filter(|value| value.starts_with(char::is_numeric))
    });
    let value = value.unwrap_or_else(|| panic!("{file} has no number {name}"));
    let number = |text: &str| text.trim().parse::<u64>().unwrap_or_else(|error| panic!("{place}: {value}: {error}"));
    match value.split_once("<<") {
        Some((times, bits)) => number(times) << number(bits),
        None => value.split('*').map(number).product(),
    }
}

#[test]
fn the_bounds_in_the_documentation_are_those_of_the_sources() {
    let table = rows("bounds");
    assert!(table.len() >= 20, "{}", table.len());
    for row in table {
        let (count, unit) = row[0].split_once(' ').unwrap_or((&row[0], ""));
        let unit = match unit {
            "" | "s" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            other => panic!("{other}"),
        };
        assert_eq!(count.parse::<u64>().unwrap() * unit, constant(&row[2]), "{}", row[2]);
    }
}

/// What stands between backticks in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The sections of the list of what must never happen again, and how many lines each has.
const LINES: [(&str, u32); 7] = [("A", 13), ("D", 7), ("Q", 15), ("L", 5), ("S", 9), ("P", 5), ("R", 4)];

#[test]
fn every_test_that_the_acceptance_list_names_exists() {
    let list = fs::read_to_string(root().join("docs/acceptance.md")).unwrap();
    let rows = list.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| line"));
    let (mut names, mut lines) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(quoted(shown_by).next().is_some(), "nothing shows this: {row}");
        let of_the_binary = ["http/tests/", "scripts/", "dashboard/tests/browser/", "benches/"];
        let is_of_the_binary = quoted(shown_by).any(|name| of_the_binary.iter().any(|folder| name.starts_with(folder)));
        assert_eq!(row.contains("*without the binary*"), !is_of_the_binary, "how it is shown: {row}");
        names.extend(quoted(shown_by));
        lines.extend(row.split('|').nth(1).unwrap().split(',').map(|line| line.trim().to_owned()));
    }
    let expected = LINES.iter().flat_map(|(section, count)| (1..=*count).map(move |line| format!("{section}{line}")));
    assert_eq!(lines, expected.chain(["-".to_owned()]).collect(), "each line of the list has a row");
    assert!(names.len() > 60, "{}", names.len());
    for name in names {
        let (file, test) = name.split_once("::").unwrap_or((name, ""));
        let source = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let is_there = match file.rsplit('.').next() {
            _ if test.is_empty() => true,
            Some("rs") => source.contains(&format!("fn {test}(")),
            _ => source.contains(&format!("test('{test}'")),
        };
        assert!(is_there, "docs/acceptance.md names {name}, and there is no such test");
    }
}
