//! Log lines on standard error or in a file: time, level, message. Neither keys nor values are ever
//! logged.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::RwLock;

struct Logger;

/// The file that lines go to and its path; none: standard error.
static FILE: RwLock<Option<(String, File)>> = RwLock::new(None);

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mark = match record.level() {
            Level::Error | Level::Warn => '#',
            Level::Info => '*',
            Level::Debug => '-',
            Level::Trace => '.',
        };
        let line = format!("{} {mark} {}\n", timestamp(), record.args());
        // There is nowhere to tell that the log cannot be written.
        let _ = match &*FILE.read() {
            Some((_, file)) => (&*file).write_all(line.as_bytes()),
            None => io::stderr().write_all(line.as_bytes()),
        };
    }

    fn flush(&self) {}
}

/// Logs why the process ends, on standard error too: whoever starts it may look there alone.
pub fn error_everywhere(text: &str) {
    log::error!("{text}");
    if FILE.read().is_some() {
        // There is nowhere else to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Starts logging on standard error, at Redis's level `notice`.
pub fn start() {
    if log::set_logger(&Logger).is_ok() {
        set_level("notice");
    }
}

/// Appends to a file from now on, or where `path` is empty writes to standard error.
pub fn set_file(path: &str) -> Result<(), String> {
    let file = if path.is_empty() {
        None
    } else {
        let file = open(path).map_err(|error| format!("logfile {path}: {error}"))?;
        // The directory of the process may change.
        let path = std::fs::canonicalize(path).map_err(|error| format!("{path}: {error}"))?;
        Some((path.to_string_lossy().into_owned(), file))
    };
    *FILE.write() = file;
    Ok(())
}

fn open(path: &str) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Opens the file again, as it may have been renamed. One that cannot be opened stays as it is.
pub fn reopen() {
    let path = FILE.read().as_ref().map(|(path, _)| path.clone());
    let Some(path) = path else { return };
    match open(&path) {
        Ok(file) => *FILE.write() = Some((path, file)),
        Err(error) => log::warn!("the log cannot be opened again at {path}: {error}"),
    }
}

/// Sets the level by Redis's name for it.
pub fn set_level(name: &str) {
    log::set_max_level(match name {
        "debug" => LevelFilter::Trace,
        "verbose" => LevelFilter::Debug,
        "warning" => LevelFilter::Warn,
        "nothing" => LevelFilter::Off,
        _ => LevelFilter::Info,
    });
}

/// The time as `2026-11-20 09:31:48.123`, in UTC.
fn timestamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (now.as_secs() / 86_400, now.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let millis = now.subsec_millis();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}")
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar (the method of
/// Howard Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (20_777, (2026, 11, 20)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(super::civil(days), date);
        }
    }
}
