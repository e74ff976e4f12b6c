#!/usr/bin/env python3
"""Measures this server against a floor and its peers, all in one run, round by round.

The number that counts is the server's CPU time per operation: it holds still on a noisy machine
where throughput and latency do not, and it is what a loaded server runs out of. All servers are
alive at the same time and each case is measured on one after the other, so that whatever drifts
on the machine hits all of them; ratios are taken within a round and their median is reported.

    bench/run.py --quick            the cases that have bars
    bench/run.py                    the whole matrix (hours)
    bench/run.py --memory           bytes per key and start-up
    bench/run.py --collections      lists, sets, hashes, sorted sets: CPU and bytes per item
    bench/run.py --types            streams, bitmaps, HyperLogLogs, geo: CPU and bytes per entry
    PEERS="redis8=path/redis-server --port {port};…" bench/run.py --quick

See bench/README.md for the columns.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass

sys.dont_write_bytecode = True  # A cache folder beside the packages is no workspace member.

import report  # noqa: E402
from collection_cases import collection_cases, shapes  # noqa: E402
from options import ROOT, parse_options  # noqa: E402
from servers import (  # noqa: E402
    FLOOR,
    OURS,
    BenchError,
    Server,
    Spec,
    cpu_of,
    find_peers,
    free_port,
    machine,
    machine_busy,
    resident_bytes,
)
from type_cases import type_cases, type_shapes  # noqa: E402

KEYS = 1_000_000
FILL_BYTES_MAX = 512 << 20  # Fewer keys when values are large: seven servers are alive at once.
FILL_PIPELINE = 100
SERVER_CORE, LOAD_CORE = 0, 1
DAY_MS = 86_400_000
MEMORY_VALUE_BYTES = 32
COLLECTIONS = ("collections", "types")
PINNED = ("one", *COLLECTIONS)
START_TIMES = 5
FAILURE_CHARACTERS_MAX = 250  # Error replies may repeat a long command.


@dataclass(frozen=True)
class Strings:
    """A key space of strings."""

    keys: int
    value_bytes: int

    @property
    def label(self):
        return f"{self.value_bytes} B"

    def run(self, bench, server):
        bench.fill(server, self.keys, self.value_bytes)
        bench.check_count(server, self.keys)


@dataclass(frozen=True)
class Case:
    workload: str
    pipeline: int
    value_bytes: int = 64
    spread: str = "uniform"

    @property
    def data(self):
        return Strings(min(KEYS, FILL_BYTES_MAX // self.value_bytes), self.value_bytes)

    @property
    def label(self):
        size = (
            f"{self.value_bytes} B" if self.value_bytes < 1024 else f"{self.value_bytes // 1024} KB"
        )
        return f"{self.workload} p{self.pipeline} {size} {self.spread}"

    def prepare(self, bench, server):
        """Nothing changes between measurements."""

    def runs(self, options):
        """The words of the warm-up and of the measurement."""
        words = [
            "--workload",
            self.workload,
            "--pipeline",
            self.pipeline,
            "--keys",
            self.data.keys,
            "--value-size",
            self.value_bytes,
            "--distribution",
            self.spread,
        ]
        return [*words, "--seconds", options.warm, "--seed", 2], [
            *words,
            "--seconds",
            options.seconds,
        ]


def quick_cases():
    bars = [
        Case(workload, pipeline, spread=spread)
        for spread in ("uniform", "hot")
        for workload in ("set", "get")
        for pipeline in (1, 30)
    ]
    return bars + [
        Case(workload, pipeline) for workload in ("mset10", "mget10") for pipeline in (1, 10)
    ]


def full_cases():
    """The quick cases and the matrix, with the cases of one value size side by side."""
    matrix = itertools.product(
        (64, 16, 1024, 16384), ("uniform", "zipf", "hot"), ("set", "get", "mixed"), (1, 10, 30)
    )
    cases = [Case(workload, pipeline, size, spread) for size, spread, workload, pipeline in matrix]
    return list(dict.fromkeys(quick_cases() + cases))


def all_core_cases():
    return [Case(workload, pipeline) for workload in ("set", "get") for pipeline in (1, 30)]


class Bench:
    """One run: its options, its servers, and what was measured so far."""

    def __init__(self, options, specs):
        self.options, self.specs = options, specs
        self.load_path = os.path.join(options.target, "bench-load")
        self.cores = sorted(os.sched_getaffinity(0))
        self.port = options.port
        self.results = {
            "name": options.name,
            "machine": machine(),
            "commit": commit(),
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "options": {
                "rounds": options.rounds,
                "seconds": options.seconds,
                "connections": options.connections,
            },
            "servers": {
                spec.name: {"command": spec.shown(), "version": "", "peer": spec.is_peer}
                for spec in specs
            },
            "speed": [],
            "start": [],
            "memory": [],
            "items": [],
            "failures": [],
        }

    # -------------------------------------------------------------- pieces

    def start(self, spec, threads, cores):
        self.port = free_port(self.port + 1)
        server = Server(spec, self.port, threads, cores)
        self.results["servers"][spec.name]["version"] = server.version
        return server

    def load(self, server, words, threads=1, core=None):
        """Runs the generator; its report and the CPU seconds it took."""
        argv = [
            self.load_path,
            "--port",
            server.port,
            "--protocol",
            server.spec.protocol,
            "--json",
            "--connections",
            self.options.connections,
            "--threads",
            threads,
            *words,
        ]
        if server.spec.name == FLOOR:
            argv.append("--any-reply")
        cores = {core} if core is not None else set(self.cores)
        child = subprocess.Popen(
            [str(word) for word in argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        with child:
            said, complained = child.stdout.read(), child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        server.assert_alive()
        if not said:
            raise BenchError(complained.strip() or f"bench-load ended with {child.returncode}")
        answer = json.loads(said)
        if answer["errors"]:
            raise BenchError(
                f"{answer['errors']} wrong replies, the first: {answer['first_error']}"
            )
        return answer, usage.ru_utime + usage.ru_stime

    def fill(self, server, keys, value_bytes, first=0, expire_ms=None):
        words = [
            "--fill",
            "--first",
            first,
            "--keys",
            keys,
            "--value-size",
            value_bytes,
            "--pipeline",
            max(1, min(FILL_PIPELINE, (1 << 20) // (value_bytes + 64))),
        ]
        self.load(server, words + (["--expire-ms", expire_ms] if expire_ms else []))

    def failed(self, where, error):
        text = f"{where}: {error}"[:FAILURE_CHARACTERS_MAX]
        self.results["failures"].append(text)
        say(f"  FAILED {text}")

    # -------------------------------------------------------------- speed

    def speed(self, section, cases, threads):
        for round_number in range(1, self.options.rounds + 1):
            for _, group in itertools.groupby(cases, key=lambda case: case.data):
                self.speed_group(section, list(group), threads, round_number)

    def speed_group(self, section, cases, threads, round_number):
        """One round of the cases that share a filled key space, on all servers at once."""
        data = cases[0].data
        say(f"{section}, round {round_number}, {data.label}: filling")
        with ExitStack() as stack:
            running = []
            cores = {SERVER_CORE} if section in PINNED else set(self.cores)
            for spec in rotated(self.specs, round_number):
                if section in COLLECTIONS and spec.protocol == "memcache":
                    continue
                try:
                    server = stack.enter_context(self.start(spec, threads, cores))
                    if spec.name != FLOOR:
                        data.run(self, server)
                    running.append(server)
                except BenchError as error:
                    self.failed(f"{spec.name}, round {round_number}", error)
            for case in cases:
                for server in running:
                    if server.spec.protocol == "memcache" and case.workload == "mset10":
                        continue
                    try:
                        self.measure_calmly(section, server, case, round_number)
                    except BenchError as error:
                        self.failed(f"{server.spec.name}, {case.label}", error)

    def check_count(self, server, keys):
        held = server.key_count()
        if held != keys:
            raise BenchError(f"holds {held} keys after a fill of {keys}")

    def measure_calmly(self, section, server, case, round_number):
        """Measures again when others used the machine; keeps the calmest, not the best."""
        tries = []
        for _ in range(1 + self.options.retries):
            tries.append(self.measure(section, server, case))
            if tries[-1]["foreign"] <= self.options.calm:
                break
        sample = min(tries, key=lambda it: it["foreign"])
        self.results["speed"].append(
            {
                "section": section,
                "server": server.spec.name,
                "case": case.label,
                "workload": case.workload,
                "pipeline": case.pipeline,
                "round": round_number,
                **sample,
            }
        )
        say(
            f"  {case.label:28} {server.spec.name:14} {sample['cpu_us']:8.3f} µs/op"
            f" {sample['ops_per_second']:10.0f} ops/s, foreign {sample['foreign']:.0f} %"
        )

    def measure(self, section, server, case):
        pinned = section in PINNED
        placed = {"core": LOAD_CORE} if pinned else {"threads": self.options.load_threads}
        warm, words = case.runs(self.options)
        if server.spec.name != FLOOR:
            case.prepare(self, server)
        self.load(server, warm, **placed)
        busy, before, began = machine_busy(), cpu_of(server.pid), time.monotonic()
        answer, load_cpu = self.load(server, words, **placed)
        wall, cpu = time.monotonic() - began, cpu_of(server.pid) - before
        foreign = machine_busy() - busy - cpu.run - load_cpu
        if answer["misses"]:
            raise BenchError(f"{answer['misses']} keys of the fill were missing")
        operations = answer["ops"]
        return {
            "cpu_us": cpu.run / operations * 1e6,
            "kernel_share": cpu.kernel / max(cpu.user + cpu.kernel, 1e-9),
            "ops_per_second": answer["ops_per_second"],
            "p50_us": answer["p50_us"],
            "p99_us": answer["p99_us"],
            "p99.9_us": answer["p99.9_us"],
            "server_core": cpu.run / wall * 100,
            "load_core": load_cpu / wall * 100,
            "queued": cpu.wait / wall * 100,
            "foreign": max(0.0, foreign / wall * 100),
        }

    # -------------------------------------------------------------- start and memory

    def start_up(self):
        for round_number, spec in itertools.product(range(START_TIMES), self.specs):
            try:
                with self.start(spec, 1, {SERVER_CORE}) as server:
                    time.sleep(0.5)
                    self.results["start"].append(
                        {
                            "server": spec.name,
                            "round": round_number,
                            "ready_ms": server.ready_seconds * 1e3,
                            "empty_bytes": resident_bytes(server.pid),
                        }
                    )
            except BenchError as error:
                self.failed(f"{spec.name}, start", error)
        say("start-up measured")

    def memory(self):
        for spec, expire_ms in itertools.product(self.specs, (None, DAY_MS)):
            if spec.name == FLOOR:
                continue
            try:
                with self.start(spec, 1, {SERVER_CORE}) as server:
                    self.memory_growth(server, expire_ms)
            except BenchError as error:
                self.failed(f"{spec.name}, memory", error)

    def memory_growth(self, server, expire_ms):
        """Fills one process further and further, and reads its memory at each stage."""
        time.sleep(1)
        empty, held = resident_bytes(server.pid), 0
        for keys in self.options.memory_keys:
            self.fill(server, keys - held, MEMORY_VALUE_BYTES, first=held, expire_ms=expire_ms)
            held = keys
            time.sleep(self.options.settle)
            self.check_count(server, keys)
            per_key = (resident_bytes(server.pid) - empty) / keys
            self.results["memory"].append(
                {
                    "server": server.spec.name,
                    "expires": bool(expire_ms),
                    "keys": keys,
                    "bytes_per_key": per_key,
                }
            )
            say(
                f"memory {server.spec.name:14} {keys:9} keys {'TTL' if expire_ms else '   '}"
                f" {per_key:7.1f} bytes per key"
            )

    def items(self, shapes):
        for shape, spec in itertools.product(shapes, self.specs):
            if spec.name == FLOOR or spec.protocol == "memcache":
                continue
            try:
                with self.start(spec, 1, {SERVER_CORE}) as server:
                    self.item_growth(server, shape)
            except BenchError as error:
                self.failed(f"{spec.name}, {shape.name}", error)

    def item_growth(self, server, shape):
        """Lets a collection grow further and further, and reads memory at each stage."""
        time.sleep(1)
        before, held, fill = self.weight(server), 0, shape.fill
        for items in shape.stages or self.options.items:
            self.load(server, fill.words(fill.first + held, items - held))
            held = items
            server.check(items, *fill.question)
            after = self.weight(server)
            if shape.then:
                before = after
                shape.then.run(self, server)
                after = self.weight(server)
            resident, used = ((now - then) / items for now, then in zip(after, before))
            self.results["items"].append(
                {
                    "server": server.spec.name,
                    "shape": shape.name,
                    "items": items,
                    "resident": resident,
                    "used": used,
                }
            )
            say(
                f"{shape.name:24} {server.spec.name:14} {items:9} items"
                f" {resident:7.1f} bytes resident {used:7.1f} used"
            )

    def weight(self, server):
        """Resident memory and what the server says it uses, once that has settled."""
        time.sleep(self.options.settle)
        return resident_bytes(server.pid), server.used_memory()

    # -------------------------------------------------------------- the whole

    def run(self):
        options = self.options
        cases = quick_cases() if options.quick else full_cases()
        if "one" in options.sections:
            self.speed("one", chosen(cases, options.only), 1)
        if "all" in options.sections:
            self.speed("all", chosen(all_core_cases(), options.only), options.server_threads)
        if "collections" in options.sections:
            self.speed("collections", chosen(collection_cases(), options.only), 1)
        if "types" in options.sections:
            self.speed("types", chosen(type_cases(), options.only), 1)
        if "start" in options.sections:
            self.start_up()
        if "memory" in options.sections:
            self.memory()
        if "items" in options.sections:
            self.items(shapes())
        if "entries" in options.sections:
            self.items(type_shapes())


def chosen(cases, only):
    return [case for case in cases if not only or any(part in case.label for part in only)]


def rotated(specs, count):
    """Another order each round, so that no server always follows the same one."""
    turn = count % len(specs)
    return specs[turn:] + specs[:turn]


def say(text):
    print(time.strftime("[%H:%M:%S]"), text, file=sys.stderr, flush=True)


def commit():
    done = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def server_specs(options):
    """Ours, the floor and the peers, or a clear word about what is missing."""
    for program, package in (
        ("bench-load", "bench-load"),
        ("bench-echo", "bench-echo"),
        ("dragonfly", "server"),
    ):
        path = os.path.join(options.target, program)
        needed = program != "dragonfly" or not (options.without_ours or options.ours)
        if needed and not os.access(path, os.X_OK):
            raise BenchError(
                f"{os.path.relpath(path)} is missing: cargo build --release -p {package}"
                + (" (or --without-ours)" if program == "dragonfly" else "")
            )
    echo = os.path.join(options.target, "bench-echo")
    ours = (
        options.ours
        or os.path.join(options.target, "dragonfly") + " --port {port} --threads {threads}"
    )
    specs = [] if options.without_ours else [Spec(OURS, ours)]
    specs += [Spec(FLOOR, echo + " --port {port} --threads {threads}"), *find_peers(os.environ)]
    if options.servers:
        missing = set(options.servers) - {spec.name for spec in specs}
        if missing:
            raise BenchError(
                f"no server named {', '.join(sorted(missing))}; "
                f"there are {', '.join(spec.name for spec in specs)}"
            )
        specs = [spec for spec in specs if spec.name in options.servers]
    if not any(spec.is_peer for spec in specs):
        say("no peer found: install redis-server, valkey-server or memcached, or set PEERS")
    return specs


def main():
    options = parse_options(__doc__)
    if options.render:
        with open(options.render, encoding="utf-8") as file:
            report.write(json.load(file), options.out)
        return 0
    specs = server_specs(options)
    cores = os.sched_getaffinity(0)
    if set(PINNED) & set(options.sections) and not {SERVER_CORE, LOAD_CORE} <= cores:
        raise BenchError(f"one pinned thread needs the cores {SERVER_CORE} and {LOAD_CORE}")
    bench = Bench(options, specs)
    try:
        bench.run()
    finally:
        raw = os.path.join(options.out, "work", options.name + ".json")
        os.makedirs(os.path.dirname(raw), exist_ok=True)
        with open(raw, "w", encoding="utf-8") as file:
            json.dump(bench.results, file, indent=1)
        say(f"wrote {os.path.relpath(report.write(bench.results, options.out))}")
    return 1 if bench.results["failures"] else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Servers must be stopped then, too.
    try:
        sys.exit(main())
    except BenchError as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
