//! deploy/vps.md, followed from its first block to its last one, in a copy of this machine's file system that is gone afterwards: users,
//! folders and files are really made, the server is really started as the unit says. What needs another disk, another machine or
//! an init only notes that it was called. Needs root and overlayfs; says so where it may not.

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
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::skip::skip;

/// What only notes that it was called. The last two have work to do.
const STUBS: [&str; 7] = ["dpkg-reconfigure", "cryptsetup", "mkfs.ext4", "mount", "curl", "apt-get", "systemctl"];

/// What the package of Caddy brings.
const APT_GET: &str = "mkdir -p /etc/caddy";

/// As the unit says: its user, its variables, its command.
const SYSTEMCTL: &str = r#"
[ "$*" = "enable --now mallard-metrics" ] || exit 0
unit=/etc/systemd/system/mallard-metrics.service
value() { sed -n "s/^$1=//p" "$unit"; }
set -a
. "$(value EnvironmentFile)"
set +a
umask "$(value UMask)"
setpriv --reuid "$(value User)" --regid "$(value Group)" --clear-groups \
  env $(value Environment) $(value ExecStart) > /srv/log 2>&1 &
"#;

/// A root of its own over that of the machine, a network of its own, and then what is to be done in it.
const ENTER: &str = r#"
/bin/mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
/bin/mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
/bin/mount --rbind /dev "$1/root/dev"
/bin/mount -t proc proc "$1/root/proc"
/bin/mount -t tmpfs tmpfs "$1/root/tmp"
cp -r "$2/." "$1/root/srv"
ip link set lo up
exec chroot "$1/root" /bin/sh -euc "cd /srv; PATH=/srv/stubs:\$PATH; $3"
"#;

/// What has to be so at the end.
const CHECKS: &str = r#"
[ "$(stat -c '%U %a' /etc/mallard-metrics.env)" = "root 600" ] || { echo "who may read the secrets?"; exit 1; }
[ "$(stat -c '%U %a' /var/lib/mallard-metrics)" = "mallard-metrics 700" ] || { echo "whose is the store?"; exit 1; }
[ "$(stat -c '%U %a' /var/lib/mallard-metrics/STORE)" = "mallard-metrics 600" ] || { echo "who has made it?"; exit 1; }
[ "$(stat -c %a /usr/local/bin/mallard-metrics)" = 755 ]
grep -qx '/dev/mapper/mallard /var/lib/mallard-metrics ext4 noatime,noauto 0 0' /etc/fstab
grep -qx 'Environment=DOMAIN=analytics.example.com' /etc/systemd/system/caddy.service.d/domain.conf
[ ! -x /usr/bin/caddy ] || DOMAIN=analytics.example.com /usr/bin/caddy validate --adapter caddyfile --config /etc/caddy/Caddyfile
. /etc/mallard-metrics.env
event='{"d":"example.com","n":"pageview","u":"https://example.com/"}'
/usr/bin/curl -sf -A Mozilla/5.0 -H 'content-type: text/plain' -d "$event" http://127.0.0.1:8000/api/event
/usr/bin/curl -sf -H 'content-type: application/json' -d "{\"password\":\"$MALLARD_ADMIN_PASSWORD\"}" http://127.0.0.1:8000/api/auth/login
/usr/bin/curl -sf -H "Authorization: Bearer $MALLARD_METRICS_TOKEN" http://127.0.0.1:8000/metrics | grep -x 'mallard_events_ingested_total 1'
nightly=$(sed -n 's/^17 3 \* \* \* root \(.*\) | ssh .*/\1/p' /etc/cron.d/mallard-metrics)
sh -c "$nightly" | tar -tf - | grep -x STORE
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The blocks of the page, in their order.
fn blocks() -> Vec<String> {
    let page = fs::read_to_string(root().join("deploy/vps.md")).unwrap();
    page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// What somebody has in their hands who follows the page, and the stubs.
fn luggage() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::copy(env!("CARGO_BIN_EXE_mallard-metrics"), path("mallard-metrics")).unwrap();
    fs::create_dir(path("deploy")).unwrap();
    for file in fs::read_dir(root().join("deploy")).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), path("deploy").join(file.file_name())).unwrap();
    }
    fs::create_dir(path("stubs")).unwrap();
    for name in STUBS {
        let work = match name {
            "apt-get" => APT_GET,
            "systemctl" => SYSTEMCTL,
            _ => "",
        };
        let stub = path("stubs").join(name);
        fs::write(&stub, format!("#!/bin/sh\necho \"{name} $*\" >> /srv/calls\n{work}\n")).unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// Runs a script in a root of its own. What it has started ends with it.
fn run(luggage: &Path, script: &str) -> Option<Output> {
    let over = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "/bin/sh", "-euc", ENTER, "sh"]);
    command.arg(over.path()).arg(luggage).arg(script).output().ok()
}

#[test]
fn whoever_follows_the_guide_for_a_machine_of_their_own_has_a_server_that_runs_as_its_user() {
    let luggage = luggage();
    if !run(luggage.path(), "true").is_some_and(|tried| tried.status.success()) {
        return skip("this user may not make a root folder of its own");
    }
    let blocks = blocks();
    assert_eq!(blocks.len(), 6, "each is followed");
    let guide: Vec<String> = blocks.into_iter().map(|block| format!("(\n{block})\n")).collect();
    let script = format!("{}{CHECKS}echo; cat /srv/calls", guide.concat());
    let output = run(luggage.path(), &script).unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{errors}", output.status);
    assert!(said.lines().any(|line| line == "ready"), "the health check of the guide: {said}");
    for called in ["cryptsetup open /dev/sdb mallard", "systemctl enable --now mallard-metrics", "mkfs.ext4 -m 0 "] {
        assert!(said.lines().any(|line| line.starts_with(called)), "{called}: {said}");
    }
}
