//! How much memory this process may use: the machine's, or less if a control group says so.

use std::fs::read_to_string;
use std::path::Path;

const CGROUPS: &str = "/sys/fs/cgroup";
/// The first version of control groups has one tree per resource.
const CGROUP_1_LIMIT: &str = "/sys/fs/cgroup/memory/memory.limit_in_bytes";

/// The limit in bytes.
pub(crate) fn limit_bytes() -> u64 {
    let machine = rustix::system::sysinfo();
    let machine = machine.totalram.saturating_mul(u64::from(machine.mem_unit));
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = files_of_limits(&groups).into_iter().filter_map(|file| number_in(Path::new(&file)));
    limits.chain(number_in(Path::new(CGROUP_1_LIMIT))).fold(machine, u64::min)
}

/// The files that limit this process: its own group's and those of the groups around it.
fn files_of_limits(groups: &str) -> Vec<String> {
    let Some(own) = groups.lines().find_map(|line| line.strip_prefix("0::")) else { return Vec::new() };
    let around = Path::new(own).ancestors().filter_map(Path::to_str);
    around.map(|group| format!("{CGROUPS}{}/memory.max", group.trim_end_matches('/'))).collect()
}

/// `None` for a missing file and for the word `max`.
fn number_in(file: &Path) -> Option<u64> {
    read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_limited_by_itself_and_by_all_groups_around_it() {
        let files = files_of_limits("1:name=x:/y\n0::/a.slice/b.scope\n");
        let expected = [
            "/sys/fs/cgroup/a.slice/b.scope/memory.max",
            "/sys/fs/cgroup/a.slice/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(files, expected);
        assert_eq!(files_of_limits("0::/"), ["/sys/fs/cgroup/memory.max"]);
        assert_eq!(files_of_limits(""), [""; 0]);
    }

    #[test]
    fn this_machine_has_some_memory() {
        assert!(limit_bytes() > 32 << 20);
    }
}
