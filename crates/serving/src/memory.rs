//! How much memory this process may use: what the machine has, or less when its control group is
//! limited.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Assumed where neither can be read.
const UNKNOWN: usize = 4 << 30;

/// The bytes of memory that the process may use.
pub(crate) fn available() -> usize {
    available_under(Path::new("/"))
}

fn available_under(root: &Path) -> usize {
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok();
    let machine = machine.as_deref().and_then(total_memory);
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = group_limits(root, &groups);
    limits.chain(machine).min().unwrap_or(UNKNOWN)
}

/// Reads `MemTotal:  16384 kB`.
fn total_memory(meminfo: &str) -> Option<usize> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: usize = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The limits of the process's control groups and of those around them, of both versions.
///
/// `groups` has lines such as `4:memory:/docker/1a2b` and, for version 2, `0::/system.slice/x`. In
/// a container the path may lead nowhere; the limit is then in the root of the mount, which is
/// around every group.
fn group_limits<'a>(root: &'a Path, groups: &'a str) -> impl Iterator<Item = usize> + 'a {
    let files = groups.lines().flat_map(move |line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let group = Path::new(path.trim_start_matches('/'));
        let around: Vec<PathBuf> = group
            .ancestors()
            .map(|group| root.join(mount).join(group).join(file))
            .collect();
        around
    });
    // Version 2 says `max` where there is no limit, version 1 a number above any memory.
    files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> usize {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        available_under(root.path())
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:     2048 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_smaller_of_machine_and_group_counts() {
        assert_eq!(machine(&[]), UNKNOWN);
        assert_eq!(machine(&[MEMINFO]), 2 << 20);
        let second = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a.slice/b\n"),
            ("sys/fs/cgroup/a.slice/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a.slice/memory.max", "1000000\n"),
        ];
        assert_eq!(machine(&second), 1_000_000);
        let first = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x\n"),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "500000\n"),
        ];
        assert_eq!(machine(&first), 500_000);
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/x\n"),
            (
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ];
        assert_eq!(machine(&unlimited), 2 << 20);
    }

    #[test]
    fn a_container_that_does_not_see_its_path_reads_the_root() {
        let container = [
            MEMINFO,
            (
                "proc/self/cgroup",
                "0::/../../docker/1a2b\n4:memory:/docker/1a2b\n",
            ),
            ("sys/fs/cgroup/memory.max", "700000\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "600000\n"),
        ];
        assert_eq!(machine(&container), 600_000);
    }
}
