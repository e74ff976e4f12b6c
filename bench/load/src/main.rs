//! A closed-loop load generator for RESP and memcached servers.
//!
//! Each connection sends a batch of `--pipeline` requests, waits for all of the replies, checks
//! them, and sends the next batch. It is meant to cost less than the server it drives: requests are
//! templates whose keys are patched in place, a batch is one `send`, replies are counted as the
//! bytes come and never stored, and nothing is allocated while it runs.
//!
//! How to read the code: `options` says what can be asked for, `request`, `command` and `key` make
//! the bytes to send, `reply` understands the bytes that come back, `driver` moves both,
//! `histogram` and `report` tell what happened.
//!
//! A closed loop waits for a slow server instead of piling up requests, so its latencies say
//! nothing about a server under a fixed arrival rate.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // The report on standard output is what this program is for.

mod command;
mod driver;
mod histogram;
mod key;
mod options;
mod reply;
mod report;
mod request;

use driver::{Driver, Totals};
use key::Distribution;
use options::Options;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("bench-load: {message}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(totals) => {
            println!(
                "{}",
                if options.json { report::json(&totals) } else { report::text(&totals) }
            );
            if totals.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(message) => {
            eprintln!("bench-load: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Drives the server with as many threads as asked for; the first failure is everyone's.
fn run(options: &Options) -> Result<Totals, String> {
    let distribution = Arc::new(Distribution::new(options.distribution, options.keys));
    let mut drivers = Vec::new();
    for thread in 0..options.threads {
        let driver = Driver::connect(options, thread, Arc::clone(&distribution))
            .map_err(|error| format!("cannot connect to {}: {error}", options.target))?;
        drivers.push(driver);
    }
    let threads: Vec<_> = drivers.into_iter().map(|it| thread::spawn(move || it.run())).collect();
    let mut all = Totals::default();
    for thread in threads {
        let totals = thread.join().map_err(|_| "a thread panicked".to_owned())??;
        all.merge(&totals);
    }
    Ok(all)
}
