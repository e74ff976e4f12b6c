//! What the operating system knows of this process, and of itself, from `/proc`.

use std::fs::read_to_string;

/// Clock ticks per second in `/proc`, on every Linux.
const TICKS_PER_S: f64 = 100.0;
/// Bytes of a page, as `/proc` counts them.
const PAGE: u64 = 4096;

/// Seconds of processor time.
#[derive(Clone, Copy, Default, Debug)]
pub struct CpuTimes {
    /// In the process's own code.
    pub user_s: f64,
    /// In the kernel.
    pub system_s: f64,
    /// The same of children that have ended.
    pub children_user_s: f64,
    /// In the kernel, of children that have ended.
    pub children_system_s: f64,
}

/// The process's time so far (proc_pid_stat(5), fields 14 to 17).
pub fn cpu_times() -> Option<CpuTimes> {
    times_in(&read_to_string("/proc/self/stat").ok()?)
}

/// The time of the process's first thread.
pub fn main_thread_times() -> Option<CpuTimes> {
    let id = std::process::id();
    times_in(&read_to_string(format!("/proc/self/task/{id}/stat")).ok()?)
}

fn times_in(stat: &str) -> Option<CpuTimes> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut next = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_S);
    let (user_s, system_s) = (next()?, next()?);
    Some(CpuTimes { user_s, system_s, children_user_s: next()?, children_system_s: next()? })
}

/// Bytes of the process in memory.
pub fn resident_bytes() -> Option<u64> {
    let statm = read_to_string("/proc/self/statm").ok()?;
    statm.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * PAGE)
}

/// The most bytes that the process had in memory so far.
pub fn resident_peak_bytes() -> Option<u64> {
    kilobytes(&read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Bytes in memory that belong to the process alone, as blocks of the allocator do, and no file.
pub fn anonymous_bytes() -> Option<u64> {
    kilobytes(&read_to_string("/proc/self/status").ok()?, "RssAnon:")
}

/// The value of a line such as `MemTotal:  24684 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The operating system in one line: `Linux 6.1.0 x86_64`.
pub fn name() -> String {
    let kernel = |what| read_to_string(format!("/proc/sys/kernel/{what}")).unwrap_or_default();
    let (name, release) = (kernel("ostype"), kernel("osrelease"));
    format!("{} {} {}", name.trim(), release.trim(), std::env::consts::ARCH)
}

/// Whether the kernel makes huge pages of ordinary memory on its own.
pub fn has_huge_pages() -> bool {
    let text = read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    text.contains("[always]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_measured() {
        let (now, peak) = (resident_bytes().unwrap(), resident_peak_bytes().unwrap());
        assert!(now > 100_000 && peak > 100_000 && anonymous_bytes().unwrap() > 10_000);
        assert!(cpu_times().unwrap().user_s >= 0.0);
        assert!(main_thread_times().is_some());
        assert!(name().starts_with("Linux "), "{}", name());
    }

    #[test]
    fn fields_are_found_in_texts() {
        let stat = "1 (a ) b) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 7 3 20 0 1";
        let times = times_in(stat).unwrap();
        assert_eq!((times.user_s, times.system_s), (2.5, 0.5));
        assert_eq!((times.children_user_s, times.children_system_s), (0.07, 0.03));
        assert_eq!(kilobytes("A: 5 kB\nB:   12 kB\n", "B:"), Some(12 * 1024));
        assert_eq!(kilobytes("A: 5 kB\n", "B:"), None);
    }
}
