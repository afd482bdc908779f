//! Builds the dashboard when it has to be built, and prepares its files for [`include_bytes!`].
//!
//! ```text
//! dashboard/ --npm ci, npm run build--> dashboard/dist --copy, gzip, hash--> OUT_DIR: asset-N, asset-N.gz, assets.rs
//! ```
//! npm runs only when the sources differ from those that `dashboard/dist` was built from, or never, if
//! `MALLARD_DASHBOARD_DIST` names a folder with a built dashboard. What is embedded are the copies in `OUT_DIR`, so a
//! dist folder that changes or vanishes later cannot change a binary half-way.
//!
//! Also sets `MALLARD_SECURITY_EXPIRES`, the date that security.txt gives. What the server does with the files is
//! `src/assets.rs` and `src/files.rs`.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script works on the developer's files and clock, not on a store"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;
use std::{env, io};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PREBUILT: &str = "MALLARD_DASHBOARD_DIST";
/// What the output of `npm run build` depends on.
const SOURCES: [&str; 10] = [
    ".npmrc",
    "index.html",
    "package-lock.json",
    "package.json",
    "public",
    "src",
    "tracker",
    "tsconfig.json",
    "vite.config.ts",
    "vite.tracker.config.ts",
];
/// Beside what was made from sources: the hash of those sources.
const STAMP: &str = ".made-from";
/// Served under two names of its own, with other headers than the page's files.
const TRACKER: &str = "mallard.js";
/// Below this a compressed form saves nothing.
const GZIP_BYTES_MIN: usize = 1024;
const WAYS_OUT: &str = "Either install Node.js 20.19 or newer with npm and let it reach its package registry, or set \
                        MALLARD_DASHBOARD_DIST to the dist folder of a dashboard that was built elsewhere \
                        (cd dashboard && npm ci && npm run build).";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    println!("cargo::rustc-env=MALLARD_SECURITY_EXPIRES={}", a_year_from_now()?);
    let dist = match env::var_os(PREBUILT) {
        Some(folder) => prebuilt(PathBuf::from(folder))?,
        None => built()?,
    };
    embed(&dist, Path::new(&env::var("OUT_DIR")?))
}

/// A year after the day of the build; `SOURCE_DATE_EPOCH` makes it reproducible.
fn a_year_from_now() -> Result<Timestamp> {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let now = match env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => Timestamp::from_second(seconds.parse()?)?,
        Err(_) => Timestamp::try_from(SystemTime::now())?,
    };
    let day_seconds = 24 * 60 * 60;
    let today = Timestamp::from_second(now.as_second() / day_seconds * day_seconds)?;
    Ok(today.checked_add(SignedDuration::from_hours(365 * 24))?)
}

fn prebuilt(folder: PathBuf) -> Result<PathBuf> {
    println!("cargo::rerun-if-changed={}", folder.display());
    if folder.join("index.html").is_file() && folder.join(TRACKER).is_file() {
        return Ok(folder);
    }
    Err(format!("{PREBUILT} is {}, which has no index.html and {TRACKER}.\n{WAYS_OUT}", folder.display()).into())
}

/// `dashboard/dist`, built from the sources as they are now.
fn built() -> Result<PathBuf> {
    let dashboard = Path::new(&env::var("CARGO_MANIFEST_DIR")?).with_file_name("dashboard");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", dashboard.join(source).display());
    }
    // Builds with other target folders share this one; held until the end of the function.
    let lock = File::open(dashboard.join("package-lock.json"))?;
    lock.lock()?;

    let modules = dashboard.join("node_modules");
    let dist = dashboard.join("dist");
    unless_made_from(&hash_of(&dashboard, &SOURCES)?, &dist, || {
        unless_made_from(&hash_of(&dashboard, &["package-lock.json"])?, &modules, || npm(&dashboard, &["ci"]))?;
        npm(&dashboard, &["run", "build"])
    })?;
    Ok(dist)
}

/// Makes `folder`, unless its stamp says that it was made from these very sources.
fn unless_made_from(sources: &str, folder: &Path, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == sources) {
        return Ok(());
    }
    make()?;
    Ok(fs::write(stamp, sources)?)
}

fn npm(dashboard: &Path, arguments: &[&str]) -> Result<()> {
    let command = format!("npm {}", arguments.join(" "));
    match Command::new("npm").args(arguments).current_dir(dashboard).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            Err(format!("the dashboard could not be built: `{command}` failed.\n{out}{err}\n{WAYS_OUT}").into())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(format!("the dashboard has to be built, and there is no npm.\n{WAYS_OUT}").into())
        }
        Err(error) => Err(format!("the dashboard could not be built: `{command}`: {error}\n{WAYS_OUT}").into()),
    }
}

/// Writes what `src/assets.rs` includes: the files of `dist`, and Rust code that names them.
fn embed(dist: &Path, out: &Path) -> Result<()> {
    let (mut tracker, mut files) = (String::new(), String::new());
    for (index, name) in files_below(dist, Path::new(""))?.iter().enumerate() {
        let asset = asset(&dist.join(name), name, out, index)?;
        match name.as_str() {
            TRACKER => tracker = asset,
            _ => writeln!(files, "    (\"/{name}\", {asset}),")?,
        }
    }
    let code = format!(
        "/// The tracking script.\npub(crate) const TRACKER: Asset = {tracker};\n\nconst FILES: &[(&str, Asset)] = &[\n{files}];\n"
    );
    Ok(fs::write(out.join("assets.rs"), code)?)
}

/// Prepares one file, and says it as Rust.
fn asset(source: &Path, name: &str, out: &Path, index: usize) -> Result<String> {
    let body = fs::read(source)?;
    let plain = copy(&body, out, &format!("asset-{index}"))?;
    let gzip = match compressed(&body)? {
        Some(small) => format!("Some({})", copy(&small, out, &format!("asset-{index}.gz"))?),
        None => "None".to_owned(),
    };
    let (content_type, etag, immutable) = (content_type(name)?, short_hash(&body), has_hash(name));
    Ok(format!(
        "Asset {{ body: {plain}, gzip: {gzip}, content_type: {content_type:?}, \
         etag: \"\\\"{etag}\\\"\", immutable: {immutable} }}"
    ))
}

/// Writes what is to be embedded, and says it as Rust.
fn copy(content: &[u8], out: &Path, name: &str) -> Result<String> {
    fs::write(out.join(name), content)?;
    Ok(format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))"))
}

fn compressed(body: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body)?;
    let small = encoder.finish()?;
    Ok((body.len() >= GZIP_BYTES_MIN && small.len() < body.len()).then_some(small))
}

fn content_type(name: &str) -> Result<&'static str> {
    Ok(match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        _ => return Err(format!("{name}: http/build.rs knows no content type for this file; add it there").into()),
    })
}

/// `app.C0ntentHa5.js`: vite.config.ts puts a hash of ten characters into the names of files that never change.
fn has_hash(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    matches!(parts.as_slice(), [_, hash, _] if hash.len() == 10)
}

/// One hash over the names and the contents of files and of all files in folders.
fn hash_of(root: &Path, names: &[&str]) -> Result<String> {
    let mut all = String::new();
    for name in names {
        let is_folder = root.join(name).is_dir();
        let files = if is_folder { files_below(root, Path::new(name))? } else { vec![(*name).to_owned()] };
        for file in files {
            writeln!(all, "{} {file}", short_hash(&fs::read(root.join(&file))?))?;
        }
    }
    Ok(short_hash(all.as_bytes()))
}

/// The files below `root/folder` in a fixed order, as paths from `root` with `/`; hidden ones are left out.
fn files_below(root: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| format!("{}: not UTF-8", name.display()))?;
        let path = folder.join(&name);
        match entry.file_type()? {
            _ if name.starts_with('.') => {}
            kind if kind.is_dir() => files.extend(files_below(root, &path)?),
            _ => files.push(path.to_string_lossy().replace('\\', "/")),
        }
    }
    files.sort();
    Ok(files)
}

/// The first 128 bits of the SHA-256, in hex.
fn short_hash(content: &[u8]) -> String {
    let bytes = Sha256::digest(content).into_iter().take(16);
    format!("{:032x}", bytes.fold(0, |hash: u128, byte| hash << 8 | u128::from(byte)))
}
