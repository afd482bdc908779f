//! How much memory this process may use: the machine's, or less if a control group says so; and that it uses no more than
//! it has asked for.

use std::fs::read_to_string;
use std::path::Path;

const CGROUPS: &str = "/sys/fs/cgroup";
/// The first version of control groups has one tree per resource.
const CGROUPS_1: &str = "/sys/fs/cgroup/memory";

/// Pages of 4 KiB only, for this process. The allocator asks for huge pages, and one event then costs 2 MiB: on a machine of
/// 256 MB that alone ends the process. A kernel that does not know the request has no huge pages either.
pub(crate) fn use_small_pages() {
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

/// The limit in bytes.
pub(crate) fn limit_bytes() -> u64 {
    let machine = rustix::system::sysinfo();
    let machine = machine.totalram.saturating_mul(u64::from(machine.mem_unit));
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = files_of_limits(&groups).into_iter().filter_map(|file| number_in(Path::new(&file)));
    limits.fold(machine, u64::min)
}

/// The files that limit this process: its own group's and those of the groups around it, in both versions. Inside a
/// container the own group may be shown as the root.
fn files_of_limits(groups: &str) -> Vec<String> {
    let second = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let first = groups.lines().find_map(|line| line.split_once(":memory:")).map(|(_, group)| group);
    let around = |group: &str, root: &str, file: &str| -> Vec<String> {
        let around = Path::new(group).ancestors().filter_map(Path::to_str);
        around.map(|group| format!("{root}{}/{file}", group.trim_end_matches('/'))).collect()
    };
    let first = around(first.unwrap_or("/"), CGROUPS_1, "memory.limit_in_bytes");
    let second = second.map(|group| around(group, CGROUPS, "memory.max"));
    second.into_iter().flatten().chain(first).collect()
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
        let files = files_of_limits("1:name=x:/y\n4:memory:/box\n0::/a.slice/b.scope\n");
        let expected = [
            "/sys/fs/cgroup/a.slice/b.scope/memory.max",
            "/sys/fs/cgroup/a.slice/memory.max",
            "/sys/fs/cgroup/memory.max",
            "/sys/fs/cgroup/memory/box/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        ];
        assert_eq!(files, expected);
        assert_eq!(files_of_limits(""), ["/sys/fs/cgroup/memory/memory.limit_in_bytes"]);
    }

    #[test]
    fn huge_pages_can_be_declined() {
        use_small_pages();
        assert!(rustix::thread::transparent_huge_pages_are_disabled().unwrap_or(true));
    }

    #[test]
    fn this_machine_has_some_memory() {
        assert!(limit_bytes() > 32 << 20);
    }
}
