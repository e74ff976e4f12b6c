//! Addresses to listen on.

use std::net::IpAddr;

use super::Config;

/// An address of `bind`, and whether the server does without it when it is not to be had.
pub fn listen_address(text: &str) -> Result<(IpAddr, bool), String> {
    let (optional, address) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let address = match address {
        "*" => "0.0.0.0",
        "::*" => "::",
        "localhost" => "127.0.0.1",
        other => other,
    };
    let parsed = address.parse().map_err(|_| format!("'{text}' is not an address"))?;
    Ok((parsed, optional))
}

/// `bind` as text.
pub fn bind(config: &Config) -> String {
    config.bind.read().join(" ")
}

/// Sets `bind`.
pub fn set_bind(config: &Config, text: &str) -> Result<(), String> {
    let addresses: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
    for address in &addresses {
        let failed = |why| format!("Failed to bind to specified addresses: {why}");
        listen_address(address).map_err(failed)?;
    }
    *config.bind.write() = addresses;
    Ok(())
}
