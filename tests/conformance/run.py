#!/usr/bin/env python3
"""Runs the Tcl suites of Redis and Valkey against our server; see README.md beside this."""

import argparse
import atexit
import collections
import concurrent.futures
import json
import os
import re
import signal
import socket
import sys
import time

import skips
import suite

RESULTS = os.path.join(suite.CACHE, "results.json")
# With which flags our server is started; the suites' own configuration file has the second of them.
OUR_FLAGS = {"threads": "2"}
EXTERNAL_FLAGS = {"enable-debug-command": "yes"}
# Other servers, on which the suites must pass: to see that it is not the machine that fails.
PEERS = ("redis-server", "valkey-server")
# Parameters that CONFIG GET does not tell of when asked for all, or that are none.
HIDDEN = ("key-load-delay", "rdb-key-save-delay", "loading-process-events-interval-bytes")
DIRECTIVES = ("include", "rename-command")
MESSAGE_LINES_SHOWN = 5
# With more files than these something is wrong that no second run mends.
RETRIED_MAX = 12
# Areas that later issues build, by the commands that are missing.
AREAS = (
    ("lists", r"[lr](push|pop|range|len|index|set|trim|rem|insert|pos|move|mpop)|[lr]pushx|rpoplpush"),
    ("blocking", r"b[lrz](pop|move|mpop).*|brpoplpush"),
    ("hashes", r"h[a-z]+"),
    ("sets", r"s(add|rem|card|members|ismember|mismember|pop|randmember|move|inter|union|diff).*"),
    ("sorted sets", r"z[a-z]+"),
    ("streams", r"x[a-z]+"),
    ("bits", r"bit.*|[gs]etbit"),
    ("hyperloglog", r"pf.*"),
    ("geo", r"geo.*"),
    ("transactions", r"multi|exec|watch|unwatch|discard"),
    ("scripts", r"eval.*|script|fcall.*|function"),
    ("pubsub", r"[sp]?(un)?subscribe|s?publish|pubsub"),
    ("persistence", r"save|bgsave|bgrewriteaof|lastsave|dump|restore|migrate"),
    ("replication", r"replicaof|slaveof|sync|psync|replconf|failover"),
    ("cluster", r"cluster|asking|readonly|readwrite"),
    ("acl", r"acl"),
    ("sort", r"sort.*"),
)
UNKNOWN = re.compile(r"unknown (?:command|subcommand) '([^']*)'", re.IGNORECASE)

Outcome = collections.namedtuple("Outcome", "suite mode file cases notes seconds whole of_file")


class Known:
    """Which commands and parameters the server has."""

    def __init__(self, work):
        self.flags = {} if os.path.basename(work.binary) in PEERS else OUR_FLAGS
        self.server = suite.Server(work, {**self.flags, **EXTERNAL_FLAGS})
        self.answers = {}

    def __call__(self, command):
        if command not in self.answers:
            parameter, is_value, value = command.partition("=")
            name = "|".join(command.lower().split())
            line = f"CONFIG SET {parameter} {value}" if is_value else f"COMMAND INFO {name}"
            with socket.create_connection((suite.HOST, self.server.port), 5) as connection:
                connection.sendall(f"{line}\r\n".encode())
                answer = connection.recv(64)
            known = answer.startswith(b"+OK") or answer.startswith(b"*1\r\n*") and answer[5:7] != b"*-"
            self.answers[command] = known
        return self.answers[command]

    def parameters(self):
        """The names of all parameters that may stand in a configuration file."""
        asked = [["CONFIG", "GET", name] for name in ("*", *HIDDEN)]
        with socket.create_connection((suite.HOST, self.server.port), 5) as connection:
            for words in asked:
                connection.sendall((" ".join(words) + "\r\n").encode())
            connection.sendall(b"PING\r\n")
            received = b""
            while not received.endswith(b"+PONG\r\n"):
                received += connection.recv(1 << 16)
        words = [w.decode("latin-1") for w in received.split(b"\r\n")]
        return [*DIRECTIVES, *(word for word in words if re.fullmatch("[a-z][a-z0-9-]*", word))]


def arguments():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="files such as unit/expire; all by default")
    parser.add_argument("--suite", help="only suites whose name begins so: redis, valkey, valkey-8.0")
    parser.add_argument("--case", action="append", default=[], help="only this case, or glob")
    parser.add_argument("--binary", default=default_binary(), help="the server to test")
    parser.add_argument("--mode", choices=("external", "spawned"), help="who starts the servers")
    parser.add_argument("--jobs", type=int, default=3, help="files at a time")
    parser.add_argument("--propose", action="store_true", help="print lines for skips.txt")
    parser.add_argument("--no-skips", action="store_true", help="run all, as if nothing was skipped")
    parser.add_argument("--list", action="store_true", help="list every case and how it ended")
    return parser.parse_args()


def default_binary():
    """The shipped server, or the one that the tests' variable names."""
    root = os.path.dirname(os.path.dirname(suite.HERE))
    return os.environ.get("DRAGONFLY_BIN") or os.path.join(root, "target", "release", "dragonfly")


def suites(wanted):
    """Names of the suites that are unpacked."""
    names = sorted(os.listdir(suite.CACHE)) if os.path.isdir(suite.CACHE) else []
    names = [name for name in names if re.match(r"(redis|valkey)-\d", name)]
    if not names:
        sys.exit("no suite is there: run tests/install.sh")
    return [name for name in names if not wanted or name.startswith(wanted)]


def run_one(work, mode, file, all_skips, known, only):
    """Runs one file, or tells why not."""
    of_file = skips.OfFile(all_skips, work.name, mode, file, known)
    start = time.monotonic()
    if of_file.whole:
        return Outcome(work.name, mode, file, [], [], 0, of_file.whole, of_file)
    not_run = [skip.case for skip in of_file.not_run]
    flags = {**known.flags, **EXTERNAL_FLAGS} if mode == "external" else None
    cases, notes = suite.run_file(work, file, flags, not_run, only)
    return Outcome(work.name, mode, file, cases, notes, time.monotonic() - start, None, of_file)


def judge(outcome):
    """Sorts the cases of a file: counts, and failures that nobody expected."""
    counts, failures = collections.Counter(), []
    for case in outcome.cases:
        is_expected = outcome.of_file.of(case.name)
        if is_expected and case.status == "failed":
            counts["expected"] += 1
            continue
        counts[case.status] += 1
        if case.status == "failed":
            failures.append(case)
    return counts, failures


def area_of(message):
    """A guess at why a case fails, in the words of skips.txt."""
    unknown = UNKNOWN.search(message)
    if not unknown:
        return "?: " + message.strip().replace("\n", " ")[:100]
    command = unknown.group(1).lower()
    for area, pattern in AREAS:
        if re.fullmatch(pattern, command):
            return f"later {area}: {command.upper()}"
    return f"?: unknown command {command}"


def shown(text):
    """The beginning and the end of a message, indented."""
    lines = text.strip().splitlines()
    if len(lines) > 2 * MESSAGE_LINES_SHOWN:
        lines[MESSAGE_LINES_SHOWN:-MESSAGE_LINES_SHOWN] = ["…"]
    return "".join(f"      {line[:300]}\n" for line in lines)


def report(outcome, asked):
    """Prints what happened in a file; returns what is recorded of it."""
    counts, failures = judge(outcome)
    old = outcome.of_file.stale([(case.name, case.status) for case in outcome.cases])
    head = f"{outcome.suite} {outcome.file} ({outcome.mode})"
    if outcome.whole:
        print(f"{head}: not run, {outcome.whole.reason}")
    else:
        words = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        print(f"{head}: {words} ({outcome.seconds:.1f} s)")
    for case in outcome.cases if asked.list else ():
        print(f"   {case.status}: {case.name} ({case.ms} ms)")
    for note in sorted(set(outcome.notes)) if asked.list or failures else ():
        print(f"   note: {note}")
    for case in failures:
        print(f"   FAILED {case.name}\n{shown(case.message)}", end="")
    for line in old:
        print(f"   STALE {line}")
    sys.stdout.flush()
    return {
        "suite": outcome.suite,
        "mode": outcome.mode,
        "file": outcome.file,
        "seconds": round(outcome.seconds, 1),
        "skipped": outcome.whole and outcome.whole.reason,
        "counts": dict(counts),
        "failed": [case.name for case in failures],
        "stale": old,
        "notes": sorted(set(outcome.notes)),
        "cases": [case._asdict() for case in outcome.cases],
    }


def previous_seconds():
    """How long files took the last time, to begin with the longest."""
    try:
        with open(RESULTS, encoding="utf-8") as file:
            return {(r["suite"], r["mode"], r["file"]): r["seconds"] for r in json.load(file)}
    except (OSError, ValueError, KeyError):
        return {}


def wanted(asked, work):
    """The files to run, and how: all against an external server, and where the suite starts the
    servers itself those of which an external server lets it skip some."""
    files = [file for file in work.files() if not asked.files or file in asked.files]
    jobs = [("external", file) for file in files]
    jobs += [("spawned", file) for file in files if work.wants_spawning(file)]
    return [job for job in jobs if asked.mode in (None, job[0])]


def run_all(asked, works, all_skips, known):
    """Runs every file that was asked for, several at a time; what fails once more, alone."""
    seconds = previous_seconds()
    jobs = [(work, mode, file) for work in works for mode, file in wanted(asked, work)]
    jobs.sort(key=lambda job: -seconds.get((job[0].name, *job[1:]), 0))
    records, again = [], []
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        started = {pool.submit(run_one, *job, all_skips, known, asked.case): job for job in jobs}
        for future in concurrent.futures.as_completed(started):
            records.append(report(future.result(), asked))
            if records[-1]["failed"] or records[-1]["stale"]:
                again.append((records[-1], started[future]))
    if len(again) <= RETRIED_MAX and not (asked.propose or asked.no_skips):
        for record, job in again:
            outcome = run_one(*job, all_skips, known, asked.case)
            records[records.index(record)] = compare(record, report(outcome, asked))
    return sorted(records, key=lambda record: (record["suite"], record["file"], record["mode"]))


def compare(first, second):
    """What remains of two runs of a file: what went wrong in both."""
    kept = dict(second)
    for kind in ("failed", "stale"):
        kept[kind] = [name for name in second[kind] if name in first[kind]]
        once = set(first[kind]) ^ set(second[kind])
        kept["flaky"] = sorted(set(kept.get("flaky", ())) | once)
    for name in kept["flaky"]:
        print(f"   flaky, wrong in one run of two: {name}")
    return kept


def propose(records):
    """Prints a line for skips.txt for each failure."""
    print("\n# Proposed lines:")
    for record in records:
        for case in record["cases"]:
            if case["name"] in record["failed"]:
                reason = area_of(case["message"])
                print(" | ".join((record["suite"], record["file"], case["name"], "fails", reason)))


def main():
    """Runs, tells, and ends with a status."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    atexit.register(suite.kill_all)
    start = time.monotonic()
    all_skips = [] if asked.no_skips else skips.read()
    works = [suite.Work(name, os.path.abspath(asked.binary)) for name in suites(asked.suite)]
    missed = [(work.name, patch) for work in works for patch in work.missed]
    known = Known(works[0])
    for work in works:
        atexit.register(work.remove)
        work.allow_spawning(known.flags, known.parameters())
    records = run_all(asked, works, all_skips, known)
    known.server.stop()
    with open(RESULTS, "w", encoding="utf-8") as file:
        json.dump(records, file, indent=1)
    total = collections.Counter()
    for record in records:
        total.update(record["counts"])
    if asked.propose:
        propose(records)
    for work in works:
        if work.dropped():
            print(f"{work.name}: servers were started without", ", ".join(work.dropped()))
    for name, patch in missed:
        print(f"PATCH of {name}, {patch.file}: nothing to change ({patch.why})")
    is_whole = not (asked.files or asked.case or asked.suite or asked.mode)
    spoken_of = [s for s in all_skips if any(s.is_of_suite(work.name) for work in works)]
    unseen = [skip for skip in spoken_of if is_whole and not skip.was_seen]
    for skip in unseen:
        print(f"STALE {skip}: there is no such case")
    print(", ".join(f"{number} {status}" for status, number in sorted(total.items())))
    bad = [r for r in records if r["failed"] or r["stale"]]
    print(f"{len(records)} files, {len(bad)} with something wrong, {time.monotonic() - start:.0f} s")
    sys.exit(1 if bad or missed or unseen else 0)


if __name__ == "__main__":
    main()
