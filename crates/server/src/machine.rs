//! What the machine, or the container around this process, offers.

use std::fs::read_to_string;
use std::path::Path;

/// Memory that this process may use at most: the machine's, or what its control group leaves.
pub fn memory_bytes() -> Option<u64> {
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().flat_map(limits_of);
    installed_bytes().into_iter().chain(limits).min()
}

fn installed_bytes() -> Option<u64> {
    let text = read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The limits of a line of `/proc/self/cgroup`, its own and those of the groups around it.
fn limits_of(line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, file) = match kinds {
        "" => ("/sys/fs/cgroup", "memory.max"),
        kinds if kinds.split(',').any(|kind| kind == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let groups = Path::new(path).ancestors().filter_map(|group| group.strip_prefix("/").ok());
    let read = |group: &Path| read_to_string(Path::new(root).join(group).join(file)).ok();
    groups.filter_map(read).filter_map(|text| text.trim().parse().ok()).collect()
}

/// The number in a file of the kernel's.
pub fn kernel_number(path: &str) -> Option<u64> {
    read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_machine_has_memory() {
        assert!(super::memory_bytes().unwrap() > 1 << 20);
        assert_eq!(super::kernel_number("/proc/self/cgroup"), None);
        assert!(super::limits_of("nonsense").is_empty());
        assert!(super::limits_of("3:cpu:/").is_empty());
    }
}
