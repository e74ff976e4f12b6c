//! What the log says when the server has started: what it is, and what whoever runs it should know.

use std::sync::atomic::Ordering::Relaxed;

use crate::config::Config;
use crate::machine;
use crate::server::Server;

/// Tells of the start, in one block.
pub fn announce(server: &Server) {
    let config = &server.config;
    log::info!("{}, pid {}", crate::version_line(), std::process::id());
    let sources = config.sources.join(", ");
    log::info!("configuration: {}", if sources.is_empty() { "defaults" } else { &sources });
    log::info!("listening on {}", places(config));
    let clients = config.clients_max.load(Relaxed);
    let memory = match config.memory_max.load(Relaxed) {
        0 => "no memory limit".to_owned(),
        bytes => format!("at most {} MiB of memory", bytes >> 20),
    };
    log::info!("{} threads, at most {clients} clients, {memory}", server.threads);
    log::info!("{} databases, data in memory only", keyspace::DATABASES);
    for (reason, names) in config.without_effect() {
        log::info!("without effect ({reason}): {}", names.join(", "));
    }
    for warning in warnings(config) {
        log::warn!("{warning}");
    }
    log::info!("ready to accept connections");
}

/// Where the server listens; it does somewhere.
fn places(config: &Config) -> String {
    let addresses = config.bind.read().join(" ");
    let port = config.port.load(Relaxed);
    let tcp = (port != 0 && !addresses.is_empty()).then(|| format!("port {port} of {addresses}"));
    let path = config.unix_socket.read().clone();
    let unix = (!path.is_empty()).then_some(path);
    tcp.into_iter().chain(unix).collect::<Vec<_>>().join(", and ")
}

/// What is probably not as it was meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let wanted = config.backlog.load(Relaxed) as u64;
    match machine::kernel_number("/proc/sys/net/core/somaxconn") {
        Some(most) if most < wanted => warnings.push(format!(
            "tcp-backlog is {most}, not {wanted}: /proc/sys/net/core/somaxconn is lower"
        )),
        _ => {}
    }
    let (limit, memory) = (config.memory_max.load(Relaxed), machine::memory_bytes());
    if let Some(memory) = memory.filter(|memory| *memory < limit) {
        warnings.push(format!(
            "maxmemory is {} MiB, but there are only {} MiB",
            limit >> 20,
            memory >> 20
        ));
    }
    if config.is_open() && !config.protected_mode.load(Relaxed) {
        let text = "anybody who reaches this server may use it: it has no password, listens on \
            all addresses, and protected-mode is no";
        warnings.push(text.to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parameter;

    #[test]
    fn warnings_are_given_when_due() {
        let config = Config::new();
        let set = |name, value| parameter(name).map(|p| p.set(&config, value));
        set("tcp-backlog", "1");
        assert_eq!(warnings(&config), Vec::<String>::new());
        set("maxmemory", "1000tb");
        set("protected-mode", "no");
        set("tcp-backlog", "2000000000");
        assert_eq!(warnings(&config).len(), 3);
        set("requirepass", "secret");
        assert_eq!(warnings(&config).len(), 2);
    }

    #[test]
    fn places_are_shown() {
        let config = Config::new();
        let set = |name, value| parameter(name).map(|p| p.set(&config, value));
        assert_eq!(places(&config), "port 6379 of * -::*");
        set("unixsocket", "/x");
        assert_eq!(places(&config), "port 6379 of * -::*, and /x");
        set("port", "0");
        assert_eq!(places(&config), "/x");
    }
}
