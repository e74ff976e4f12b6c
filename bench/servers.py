"""Servers under measurement: finding them, starting them, asking them, reading what they cost.

A `Spec` says how a server is started, a `Server` is one that runs. Everything talks to 127.0.0.1,
and only processes started here are ever signalled. CPU time comes from the kernel's scheduler
(/proc/PID/task/*/schedstat, nanoseconds) and, split into user and kernel, from /proc/PID/stat.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass

HOST = "127.0.0.1"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
READY_SECONDS_MAX = 20
STOP_SECONDS_MAX = 15
ANSWER_SECONDS_MAX = 15
IDLE_CHECK_SECONDS, IDLE_CHECKS_MAX, IDLE_SHARE_MAX = 0.05, 100, 0.1
OURS, FLOOR = "dragonfly", "floor"
REDIS_OPTIONS = "--port {port} --io-threads {threads} --save '' --appendonly no --protected-mode no"
MEMCACHED_OPTIONS = "-l 127.0.0.1 -p {port} -U 0 -t {threads} -m 16384 -c 4096"


class BenchError(Exception):
    """Something is missing or went wrong; the text is for the person who started the run."""


@dataclass(frozen=True)
class Spec:
    name: str
    command: str
    protocol: str = "resp"

    @property
    def is_peer(self):
        return self.name not in (OURS, FLOOR)

    def argv(self, port, threads):
        return shlex.split(self.command.format(port=port, threads=threads))

    def shown(self):
        """The command without its folders."""
        return (
            shlex.join(
                os.path.basename(word) if "/" in word else word
                for word in shlex.split(self.command)
            )
            .replace("'{", "{")
            .replace("}'", "}")
        )


def find_peers(environment):
    """Peers in PATH, then those of PEERS="name=command with {port};…"."""
    specs = []
    for program, options, protocol in (
        ("redis-server", REDIS_OPTIONS, "resp"),
        ("valkey-server", REDIS_OPTIONS, "resp"),
        ("memcached", MEMCACHED_OPTIONS, "memcache"),
    ):
        path = shutil.which(program)
        if path:
            as_root = " -u root" if protocol == "memcache" and os.geteuid() == 0 else ""
            specs.append(
                Spec(program.removesuffix("-server"), f"{path} {options}{as_root}", protocol)
            )
    for entry in filter(None, (part.strip() for part in environment.get("PEERS", "").split(";"))):
        name, equals, command = entry.partition("=")
        if not equals or "{port}" not in command:
            raise BenchError(f"PEERS: {entry!r} is not name=command with {{port}}")
        program = shlex.split(command)[0]
        if not shutil.which(program):
            raise BenchError(f"PEERS: {name.strip()}: there is no program {program}")
        protocol = "memcache" if name.strip().startswith("memcache") else "resp"
        specs.append(Spec(name.strip(), command.strip(), protocol))
    names = [spec.name for spec in specs] + [OURS, FLOOR]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BenchError(f"PEERS: the name {', '.join(twice)} is taken")
    return specs


class Server:
    """A running server; a context manager that stops it."""

    def __init__(self, spec, port, threads, cores):
        self.spec, self.port, self.process = spec, port, None
        self.folder = tempfile.mkdtemp(prefix="bench-")
        self.log_path = os.path.join(self.folder, "log")
        argv = spec.argv(port, threads)
        if "/" in argv[0]:
            argv[0] = os.path.abspath(argv[0])
        try:
            refuse_used_port(port)
            with open(self.log_path, "wb") as log:
                self.started_at = time.monotonic()
                self.process = subprocess.Popen(
                    argv,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=lambda: os.sched_setaffinity(0, cores),
                )
            self.ready_seconds = self.wait_ready()
            self.version = self.ask_version()
        except OSError as error:
            self.stop()
            raise BenchError(
                f"{spec.name}: cannot start {os.path.basename(argv[0])}: {error}"
            ) from error
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    def wait_ready(self):
        """Asks for a PONG until it comes; the seconds since the start."""
        request = b"version\r\n" if self.spec.protocol == "memcache" else resp("PING")
        while True:
            try:
                if exchange(self.port, request).startswith((b"+PONG", b"+OK", b"VERSION")):
                    return time.monotonic() - self.started_at
            except OSError:
                pass
            self.assert_alive()
            if time.monotonic() - self.started_at > READY_SECONDS_MAX:
                raise BenchError(
                    f"{self.spec.name}: no PONG in {READY_SECONDS_MAX} s: {self.log_tail()}"
                )
            time.sleep(0.0005)

    def assert_alive(self):
        if self.process.poll() is not None:
            raise BenchError(
                f"{self.spec.name}: ended with {self.process.returncode}: {self.log_tail()}"
            )

    def log_tail(self):
        with open(self.log_path, "rb") as log:
            return log.read()[-300:].decode(errors="replace").strip().replace("\n", " | ")

    def ask_version(self):
        if self.spec.name == FLOOR:
            return ""
        if self.spec.protocol == "memcache":
            return exchange(self.port, b"version\r\n").decode().split()[1]
        fields = dict(
            re.findall(r"(\w+_version):(\S+)", exchange(self.port, resp("INFO", "server")).decode())
        )
        own = [
            value for name, value in fields.items() if name not in ("redis_version", "gcc_version")
        ]
        return (own or [fields.get("redis_version", "")])[0]

    def key_count(self):
        """How many keys it holds, or None where that cannot be asked."""
        if self.spec.name == FLOOR:
            return None
        if self.spec.protocol == "memcache":
            stats = exchange(self.port, b"stats\r\n", b"END\r\n").decode()
            return int(re.search(r"STAT curr_items (\d+)", stats).group(1))
        return self.ask("DBSIZE")

    def answer(self, *words):
        """The bytes of a short reply."""
        try:
            return exchange(self.port, resp(*words))
        except OSError as error:
            raise BenchError(f"{self.spec.name}: no answer to {words[0]}: {error}") from error

    def done(self, *words):
        """Sends a command that must not fail."""
        reply = self.answer(*words)
        if reply.startswith(b"-"):
            raise BenchError(f"{self.spec.name}: {words[0]} answered {reply[:80]!r}")

    def ask(self, *words):
        """The integer that it answers, alone or as the only item."""
        reply = self.answer(*words)
        found = re.fullmatch(rb"(?:\*1\r\n)?:(-?\d+)\r\n", reply)
        if not found:
            raise BenchError(f"{self.spec.name}: {words[0]} answered {reply[:80]!r}")
        return int(found.group(1))

    def check(self, expected, *words):
        """Asks for an integer that must be this one, or any above 0 if that is None."""
        answer = self.ask(*words)
        if answer != expected and (expected is not None or answer <= 0):
            raise BenchError(f"{' '.join(words)} answered {answer} after the fill")

    def used_memory(self):
        """What it says it uses."""
        reply = self.answer("INFO", "memory")
        found = re.search(rb"^used_memory:(\d+)", reply, re.MULTILINE)
        if not found:
            raise BenchError(f"{self.spec.name}: INFO memory answered {reply[:80]!r}")
        return int(found.group(1))

    def wait_idle(self):
        """Waits until it has no work of its own, such as freeing what was deleted."""
        before = cpu_of(self.pid)
        for _ in range(IDLE_CHECKS_MAX):
            time.sleep(IDLE_CHECK_SECONDS)
            now = cpu_of(self.pid)
            if (now - before).run < IDLE_SHARE_MAX * IDLE_CHECK_SECONDS:
                return
            before = now

    def stop(self):
        for sign, seconds in (
            (signal.SIGTERM, STOP_SECONDS_MAX),
            (signal.SIGKILL, STOP_SECONDS_MAX),
        ):
            if self.process is None or self.process.poll() is not None:
                break
            self.process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        shutil.rmtree(self.folder, ignore_errors=True)


def refuse_used_port(port):
    try:
        socket.create_connection((HOST, port), timeout=0.5).close()
    except OSError:
        return
    raise BenchError(f"port {port} is in use: choose another with --port")


def free_port(after):
    """The next port from `after` that nobody uses."""
    for port in range(after, after + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return port
            except OSError:
                pass
    raise BenchError(f"no free port from {after}")


# ------------------------------------------------------------------ asking


def resp(*words):
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words
    )


def exchange(port, request, end=None):
    """One request on a new connection; reads the first reply, or up to `end`."""
    with socket.create_connection((HOST, port), timeout=ANSWER_SECONDS_MAX) as connection:
        connection.sendall(request)
        reply = b""
        while not (reply.endswith(end) if end else reply_complete(reply)):
            part = connection.recv(65536)
            if not part:
                break
            reply += part
        return reply


def reply_complete(reply):
    line, found, rest = reply.partition(b"\r\n")
    if not found:
        return False
    if line.startswith(b"$") and line != b"$-1":
        return len(rest) >= int(line[1:]) + 2
    return True


# ------------------------------------------------------------------ cost


@dataclass
class Cpu:
    run: float = 0.0
    wait: float = 0.0
    user: float = 0.0
    kernel: float = 0.0

    def __sub__(self, before):
        return Cpu(
            self.run - before.run,
            self.wait - before.wait,
            self.user - before.user,
            self.kernel - before.kernel,
        )


def cpu_of(pid):
    """Seconds a process ran, waited for a core, and ran in user and kernel mode."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rsplit(b")", 1)[1].split()
    cpu = Cpu(user=int(fields[11]) / TICKS_PER_SECOND, kernel=int(fields[12]) / TICKS_PER_SECOND)
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                run, wait = file.read().split()[:2]
            cpu.run += int(run) / 1e9
            cpu.wait += int(wait) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        cpu.run = 0.0
    if cpu.run == 0.0:  # No schedstat in this kernel: ticks must do.
        cpu.run = cpu.user + cpu.kernel
    return cpu


def machine_busy():
    """Seconds all cores together were busy since boot."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _iowait, irq, softirq = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND


def resident_bytes(pid):
    """Exact resident memory; VmRSS is only approximate on kernels with per-core counters."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Rss:\s+(\d+) kB", file.read(), re.MULTILINE).group(1)) * 1024


def machine():
    """What the results say about the machine: never its name."""

    def first(path, pattern):
        try:
            with open(path, encoding="utf-8") as file:
                found = re.search(pattern, file.read(), re.MULTILINE)
            return found.group(1).strip() if found else "unknown"
        except OSError:
            return "unknown"

    memory_kib = first("/proc/meminfo", r"^MemTotal:\s+(\d+)")
    return {
        "CPU": first("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(memory_kib) / 2**20:.0f} GiB" if memory_kib.isdigit() else "unknown",
        "kernel": os.uname().release,
        "TCP congestion control on loopback": first(
            "/proc/sys/net/ipv4/tcp_congestion_control", r"^(.*)$"
        ),
        "transparent huge pages": first(
            "/sys/kernel/mm/transparent_hugepage/enabled", r"\[(\w+)\]"
        ),
    }
