//! Parameters of the process, its log, and what is measured.

use crate::config::parameter::{Parameter, kept, number, refused, shaped, special, text};
use crate::config::shape::{BOOL, COUNT, INT, LIST, Shape, TEXT, int};
use crate::config::{levels, limits};
use crate::process;

const LEVELS: Shape = Shape::Word(&["debug", "verbose", "notice", "warning", "nothing"]);
const SUPERVISED: Shape = Shape::Word(&["no", "systemd", "auto"]);
const ON_SIGNAL: Shape = Shape::Words(&["default", "save", "nosave", "now", "force"]);
const FORMATS: Shape = Shape::Word(&["legacy", "logfmt", "json"]);
const TIMESTAMPS: Shape = Shape::Word(&["legacy", "iso8601", "milliseconds"]);
const NO_DAEMON: &str = "start it by a service manager, or in the background by the shell";
const NO_SYSLOG: &str = "a service manager takes the log from standard error";
const ONE_LOG: &str = "there is one log: logfile, or standard error";
const NO_TITLE: &str = "the process keeps its name";
const NO_REPORT: &str = "a bug ends the process, and the log says where";
const ONE_FORMAT: &str = "lines of the log have one form";
const AT_ONCE: &str = "clients get the replies of what they sent, then the process ends";

/// The process and its log.
pub const PROCESS: &[Parameter] = &[
    text("logfile", "", TEXT, |c| &c.log_file)
        .about("File that the log is appended to, opened again on SIGHUP; empty: standard error.")
        .at_start(),
    text("loglevel", "notice", LEVELS, |c| &c.log_level)
        .about("The least important messages that are logged.")
        .apply(levels::apply),
    special("minloglevel", "0", int(0, 3), levels::min, levels::set_min)
        .about("loglevel in numbers: 0 for notice, 1 for warning, from 2 nothing.")
        .same_as("loglevel")
        .apply(levels::apply),
    special("v", "0", int(-100, 100), levels::verbosity, levels::set_verbosity)
        .about("loglevel in numbers: from 0 for notice, 1 for verbose, from 2 debug.")
        .same_as("loglevel")
        .apply(levels::apply),
    special("dir", ".", TEXT, process::dir, process::set_dir)
        .about("Directory to work in; other paths may be relative to it.")
        .apply(process::apply_dir)
        .protected(),
    text("pidfile", "", TEXT, |c| &c.pid_file)
        .about("File that holds the number of the process while it runs.")
        .at_start(),
    text("supervised", "no", SUPERVISED, |c| &c.supervised)
        .about("Whom to tell that the server is ready: no, systemd, or auto: who asks for it.")
        .at_start(),
    refused("daemonize", "no", BOOL, NO_DAEMON).at_start(),
    refused("syslog-enabled", "no", BOOL, NO_SYSLOG).at_start(),
    kept("syslog-ident", "redis", TEXT, NO_SYSLOG).at_start(),
    kept("syslog-facility", "local0", TEXT, NO_SYSLOG).at_start(),
    kept("log-format", "legacy", FORMATS, ONE_FORMAT),
    kept("log-timestamp-format", "legacy", TIMESTAMPS, ONE_FORMAT),
    kept("logtostderr", "yes", BOOL, ONE_LOG).at_start(),
    kept("alsologtostderr", "no", BOOL, ONE_LOG).at_start(),
    kept("log-dir", "", TEXT, ONE_LOG).at_start(),
    kept("logbufsecs", "0", COUNT, "lines are written at once").at_start(),
    kept("max-log-size", "0", COUNT, "a log rotates by renaming it and SIGHUP").at_start(),
    kept("vmodule", "", TEXT, "there is one level for all").at_start(),
    kept("set-proc-title", "yes", BOOL, NO_TITLE).at_start(),
    kept("proc-title-template", "{title} {listen-addr} {server-mode}", TEXT, NO_TITLE),
    kept("locale-collate", "", TEXT, "texts are compared by their bytes"),
    kept("always-show-logo", "no", BOOL, "there is none").at_start(),
    kept("omit-basic-usage", "no", BOOL, "the log begins with a few lines").at_start(),
    kept("version-check", "no", BOOL, "nobody is asked for newer versions").at_start(),
    kept("crash-log-enabled", "yes", BOOL, NO_REPORT),
    kept("crash-memcheck-enabled", "yes", BOOL, NO_REPORT),
    kept("ignore-warnings", "", TEXT, "none is left out"),
    kept("shutdown-timeout", "10", COUNT, "there are no replicas to wait for"),
    kept("shutdown-on-sigint", "default", ON_SIGNAL, AT_ONCE),
    kept("shutdown-on-sigterm", "default", ON_SIGNAL, AT_ONCE),
    kept("background-debug-jobs", "no", BOOL, "DEBUG runs in the background when it takes long"),
];

const ALSO_COUNT: &str = "counted without it";

/// What is measured.
pub const MONITORING: &[Parameter] = &[
    number("slowlog-log-slower-than", "10000", (-1, i64::MAX), |c| &c.slow_us)
        .about("Microseconds from which a command is noted in SLOWLOG; 0 for all, -1 for none.")
        .aliases(&["commandlog-execution-slower-than"]),
    number("slowlog-max-len", "128", (0, i64::MAX), |c| &c.slow_len_max)
        .about("Commands that SLOWLOG keeps.")
        .aliases(&["commandlog-slow-execution-max-len"]),
    number("commandlog-request-larger-than", "1048576", (-1, i64::MAX), |c| &c.large_request_bytes)
        .about("Bytes from which a request is noted in COMMANDLOG; -1 for never."),
    number("commandlog-large-request-max-len", "128", (0, i64::MAX), |c| &c.large_request_len_max)
        .about("Large requests that COMMANDLOG keeps."),
    number("commandlog-reply-larger-than", "1048576", (-1, i64::MAX), |c| &c.large_reply_bytes)
        .about("Bytes from which a reply is noted in COMMANDLOG; -1 for never."),
    number("commandlog-large-reply-max-len", "128", (0, i64::MAX), |c| &c.large_reply_len_max)
        .about("Large replies that COMMANDLOG keeps."),
    number("latency-monitor-threshold", "0", (0, i64::MAX), |c| &c.latency_threshold_ms)
        .about("Milliseconds from which an event is noted for LATENCY; 0 for never."),
    shaped("latency-tracking", "yes", BOOL, |c| &c.latency_tracking)
        .about("Whether the latency of each command is measured."),
    special(PERCENTILES, "50 99 99.9", LIST, limits::percentiles, limits::set_percentiles)
        .about("The percentiles of latency that INFO shows."),
    kept("slowlog-entry-max-argc", "32", int(2, INT), "always 32"),
    kept("slowlog-entry-max-string-len", "128", int(0, INT), "always 128"),
    kept("key-memory-histograms", "no", BOOL, "there are none"),
    kept("cluster-slot-stats-enabled", "no", TEXT, "there is no cluster mode"),
    kept("cluster-compatibility-sample-ratio", "0", int(0, 100), "there is no cluster mode"),
    kept("keep-legacy-memory-metrics", "no", BOOL, ALSO_COUNT).at_start(),
    kept("allocation-tracker", "", TEXT, "allocations are not traced").at_start(),
];

const PERCENTILES: &str = "latency-tracking-info-percentiles";
