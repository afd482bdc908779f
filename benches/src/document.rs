//! `docs/benchmarks.md`: one section per benchmark, replaced by `cargo bench -p mallard-benches --bench NAME -- --save`.

use std::path::Path;

/// One figure beside its ceiling.
#[derive(Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The figure with its unit.
    pub figure: String,
    /// What it is compared with, and that figure.
    pub ceiling: String,
    /// Figure divided by ceiling, or a time as it is.
    pub ratio: String,
    /// What the project asks for.
    pub target: String,
}

impl Row {
    /// A row of texts.
    pub fn new(what: &str, figure: String, ceiling: String, ratio: String, target: &str) -> Self {
        Self { what: what.into(), figure, ceiling, ratio, target: target.into() }
    }
}

/// Prints the rows as a table and, if the benchmark was called with `--save`, puts them into the document.
pub fn publish(name: &str, title: &str, rows: &[Row]) {
    let section = render(name, title, rows);
    show(&section);
    if std::env::args().any(|argument| argument == "--save") {
        save(name, &section);
    }
}

#[expect(clippy::print_stdout, reason = "the output of a benchmark is its purpose")]
fn show(section: &str) {
    println!("{section}");
}

fn render(name: &str, title: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "## {title}\n\n`cargo bench -p mallard-benches --bench {name} -- --save`: {}\n\n\
         | measured | figure | ceiling of the same run | ratio | target |\n|---|---|---|---|---|\n",
        circumstances()
    );
    for row in rows {
        let cells = [&row.what, &row.figure, &row.ceiling, &row.ratio, &row.target].map(String::as_str);
        text += "| ";
        text += &cells.join(" | ");
        text += " |\n";
    }
    text
}

/// Which code was measured, and where: figures are of little use without.
fn circumstances() -> String {
    let commit = output("git", &["describe", "--always", "--dirty"]);
    let date = output("date", &["-u", "+%F"]);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names: Vec<&str> = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, name)| name)
        .collect();
    let cpu = names.first().copied().unwrap_or("an unknown processor");
    format!("commit {commit}, {date}, {} x {cpu}", names.len())
}

/// What a program of the machine prints; a question mark if it is not there.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = std::process::Command::new(program).args(arguments).output();
    let text = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    if text.trim().is_empty() { "?".into() } else { text.trim().into() }
}

fn save(name: &str, section: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let old = std::fs::read_to_string(&path).expect("docs/benchmarks.md exists");
    let before = old.split(&open).next().expect("the first part");
    let after = old.split(&close).nth(1).expect("docs/benchmarks.md has the markers of this benchmark");
    #[expect(clippy::disallowed_methods, reason = "a document in the source tree, not data")]
    std::fs::write(&path, format!("{before}{open}{section}{close}{after}")).expect("docs/benchmarks.md can be written");
}
