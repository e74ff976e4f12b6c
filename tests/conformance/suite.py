"""One file of a suite against one server: the part of the suite's own test server, in Python.

The suites' clients (`test_helper.tcl --client PORT`) are told over a socket which file to run and
tell how each case ends. Speaking to them here, and not reading what a terminal would show, gives
exact names, and knows which case is running when one hangs or the server dies.
"""

import collections
import glob
import itertools
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import patches
import tcl

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(HERE, ".cache")
TOOLS = os.path.join(CACHE, "tools", "usr", "bin")
HOST = "127.0.0.1"
# A case that says nothing for as long hangs.
CASE_SECONDS = int(os.environ.get("CASE_SECONDS", "60"))
# What is left of a file after a case that hung or killed the server is run again so many times.
ATTEMPTS = 4
START_SECONDS = 20
STOP_SECONDS = 10
LOG_LINES_SHOWN = 15
# Ports for the servers that the suites start: each client has some of its own.
SPAWN_PORTS, SPAWN_PORT_COUNT, SPAWN_RANGES = 12000, 100, 80
SPAWNS = itertools.count()
# Our servers and the suites' clients.
RUNNING = []
BUG_MARKS = re.compile(rb"panicked|addresssanitizer|thread '.*' has overflowed", re.IGNORECASE)

# How a case ended: ok, failed, ignored (by its tags) or skipped (by us). Names of what happens
# outside of cases begin with `OUTSIDE`.
Case = collections.namedtuple("Case", "name status message ms")
OUTSIDE = "outside of a case, after: "


class Work:
    """A copy of a suite to run in, with the changes of patches.py and tools in src."""

    def __init__(self, name, binary):
        self.name = name
        self.path = os.path.join(CACHE, "work", f"{name}.{os.getpid()}")
        tests = os.path.join(self.path, "tests")
        shutil.copytree(os.path.join(CACHE, name, "tests"), tests, ignore_dangling_symlinks=True)
        os.makedirs(os.path.join(tests, "tmp"), exist_ok=True)
        self.missed = patches.apply(name, tests)
        os.mkdir(os.path.join(self.path, "src"))
        product = name.split("-")[0]
        for tool in ("cli", "benchmark"):
            found = shutil.which(f"{product}-{tool}", path=f"{os.environ['PATH']}:{TOOLS}")
            if found:
                os.symlink(found, os.path.join(self.path, "src", f"{product}-{tool}"))
        self.binary = binary

    def remove(self):
        """Removes the copy."""
        shutil.rmtree(self.path, ignore_errors=True)

    def allow_spawning(self, flags, parameters):
        """Lets the suite start our server where it would start its own."""
        src = os.path.join(self.path, "src")
        product = self.name.split("-")[0]
        os.symlink(os.path.join(HERE, "launch.py"), os.path.join(src, f"{product}-server"))
        flags = [word for pair in flags.items() for word in pair]
        for name, words in (("binary", [self.binary]), ("flags", flags), ("parameters", parameters)):
            with open(os.path.join(src, name), "w", encoding="utf-8") as file:
                file.write("\n".join(words))

    def dropped(self):
        """Lines of configuration that our server was not started with, as it has no such."""
        try:
            with open(os.path.join(self.path, "src", "dropped"), encoding="latin-1") as file:
                return sorted({line.split()[0] for line in file})
        except OSError:
            return []

    def wants_spawning(self, file):
        """Whether some of the cases of a file need servers that the suite has started."""
        with open(os.path.join(self.path, "tests", file + ".tcl"), encoding="latin-1") as text:
            return "external:skip" in text.read()

    def files(self):
        """All files of cases, as the suites name them: `unit/type/string`."""
        found = []
        for folder in ("unit", "unit/type", "unit/cluster", "integration"):
            path = os.path.join(self.path, "tests", folder)
            names = os.listdir(path) if os.path.isdir(path) else []
            found += [f"{folder}/{name[:-4]}" for name in sorted(names) if name.endswith(".tcl")]
        return found


class Server:
    """Our server, on a port of its own."""

    def __init__(self, work, flags):
        self.port = free_port()
        self.directory = os.path.join(work.path, f"server-{self.port}")
        os.makedirs(self.directory, exist_ok=True)
        self.log_path = os.path.join(self.directory, "log")
        command = [work.binary, "--port", str(self.port), "--bind", HOST]
        for name, value in flags.items():
            command += [f"--{name}", value]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        RUNNING.append(self.process)
        self._wait()

    def _wait(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection((HOST, self.port), 1) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(16):
                        return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the server does not start:\n{self.log_tail()}")

    def is_alive(self):
        """Whether the process still runs."""
        return self.process.poll() is None

    def log_tail(self):
        """The last lines of the log."""
        return tail(self.log_path)

    def stop(self):
        """Ends the process; returns what was wrong with how it ended, or nothing."""
        wrong = None
        if not self.is_alive():
            wrong = f"the server ended with status {self.process.returncode}"
        else:
            # It may have been stopped by a case.
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                if self.process.wait(STOP_SECONDS) != 0:
                    wrong = f"the server ended with status {self.process.returncode}"
            except subprocess.TimeoutExpired:
                wrong = "the server did not end when asked"
                self.process.kill()
                self.process.wait()
        with open(self.log_path, "rb") as log:
            if BUG_MARKS.search(log.read()):
                wrong = "the server logged a bug"
        wrong = wrong and f"{wrong}:\n{self.log_tail()}"
        shutil.rmtree(self.directory, ignore_errors=True)
        return wrong


def tail(path):
    """The last lines of a log."""
    with open(path, "rb") as log:
        return b"\n".join(log.read().splitlines()[-LOG_LINES_SHOWN:]).decode("latin-1")


def kill_all():
    """Ends what still runs, when the run itself is ended."""
    for process in RUNNING:
        if process.poll() is None:
            try:
                # A client leads a group: its servers end with it.
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                process.kill()


def free_port():
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Messages:
    """What the client says: a length on a line, then a list of as many bytes."""

    def __init__(self, connection):
        self.connection, self.buffer, self.held = connection, b"", b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(connection, selectors.EVENT_READ)

    def _take(self):
        head, newline, rest = self.buffer.partition(b"\n")
        if not newline or len(rest) < int(head):
            return None
        self.buffer = rest[int(head) :]
        return tcl.split(rest[: int(head)].decode("latin-1"))

    def _add(self, received):
        # Tcl's sockets send lines with a carriage return, and count without.
        received, self.held = self.held + received, b""
        if received.endswith(b"\r"):
            received, self.held = received[:-1], b"\r"
        self.buffer += received.replace(b"\r\n", b"\n")

    def next(self, seconds):
        """The next message, or None when there was none for so long. EOFError at the end."""
        while True:
            message = self._take()
            if message is not None:
                return message
            if not self.selector.select(seconds):
                return None
            try:
                received = self.connection.recv(1 << 16)
            except ConnectionResetError:
                received = b""
            if not received:
                raise EOFError
            self._add(received)

    def send_run(self, file):
        """Tells the client to run a file."""
        payload = f"run {{{file}}}".encode()
        self.connection.sendall(b"%d\n%s" % (len(payload), payload))


class Attempt:
    """One run of a file, to its end or to the case that ends it."""

    def __init__(self, file):
        self.file, self.cases, self.notes = file, [], []
        self.running, self.last, self.is_done = None, "the start", False
        # What failed in the case that runs, which itself does not notice.
        self.troubles = []

    def take(self, kind, data, ms):
        """Takes note of a message."""
        if kind == "testing":
            self.running = data
        elif kind == "ok":
            self.end(data, "ok", "", ms)
        elif kind == "err":
            self.fail(data)
        elif kind == "skip":
            self.cases.append(Case(data, "skipped", "", 0))
        elif kind == "ignore":
            self.cases.append(Case(data, "ignored", "", 0))
        elif kind == "exception":
            self.end(OUTSIDE + self.last, "failed", data, 0)
            self.is_done = True
        elif kind == "note":
            self.notes.append(data)
        elif kind == "done":
            self.is_done = True

    def end(self, name, status, message, ms):
        """A case has ended."""
        if self.troubles and not name.startswith(OUTSIDE):
            status, message = "failed", "\n".join([*self.troubles, message])
            self.troubles = []
        self.cases.append(Case(name, status, message, int(ms)))
        if not name.startswith(OUTSIDE):
            self.last, self.running = name, None

    def fail(self, data):
        """A case failed, or something within one that goes on, or outside of any."""
        data = without_cut_line(data)
        head = f"{self.running} in tests/"
        if self.running is not None and data.startswith(head):
            self.end(self.running, "failed", data[len(head) :].partition("\n")[2], 0)
        elif self.running is not None:
            self.troubles.append(data)
        else:
            self.end(OUTSIDE + self.last, "failed", data, 0)


def without_cut_line(data):
    """The suites cut ten characters off the first line of what is no assertion, and repeat it."""
    lines = data.split("\n")
    for at in range(min(2, len(lines) - 1)):
        if len(lines[at + 1]) == len(lines[at]) + 10 and lines[at + 1].endswith(lines[at]):
            del lines[at]
            break
    return "\n".join(lines)


def client_command(port, server, skipped, only):
    """The command line of a suite's client that talks to us on a port."""
    command = ["tclsh", "tests/test_helper.tcl", "--client", str(port), "--durable"]
    if server:
        command += ["--host", HOST, "--port", str(server.port)]
    else:
        base = SPAWN_PORTS + next(SPAWNS) % SPAWN_RANGES * SPAWN_PORT_COUNT
        command += ["--baseport", str(base), "--portcount", str(SPAWN_PORT_COUNT)]
    for option, names in (("--skiptest", skipped), ("--only", only)):
        for name in names:
            command += [option, "/" + tcl.pattern(name) if "*" in name else name]
    return command


class Client:
    """A suite's client: a Tcl shell."""

    def __init__(self, work, server, skipped, only):
        self.listener = socket.create_server((HOST, 0))
        self.listener.settimeout(START_SECONDS)
        command = client_command(self.listener.getsockname()[1], server, skipped, only)
        self.output = tempfile.TemporaryFile()
        self.work, self.process = work, subprocess.Popen(
            command,
            cwd=work.path,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            env={**os.environ, "TERM": "dumb"},
            start_new_session=True,
        )

        RUNNING.append(self.process)

    def run(self, run, server):
        """Runs the file; returns what went wrong, or nothing."""
        try:
            connection, _ = self.listener.accept()
        except TimeoutError:
            return "the suite's client does not start"
        with connection:
            return converse(run, Messages(connection), server)

    def end(self):
        """Ends it and all that it started; returns what it printed and bugs that servers logged."""
        self.listener.close()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.output.seek(0)
        said = self.output.read()[-2000:].decode("latin-1")
        self.output.close()
        bugs = []
        for directory in glob.glob(f"{self.work.path}/tests/tmp/server*.{self.process.pid}.*"):
            for log_path in glob.glob(directory + "/std*"):
                with open(log_path, "rb") as log:
                    found = BUG_MARKS.search(log.read())
                bugs += ["a server logged a bug:\n" + tail(log_path)] if found else []
            shutil.rmtree(directory, ignore_errors=True)
        return said, bugs


def attempt(work, file, flags, skipped, only):
    """Runs a file without the cases named in `skipped`; without flags the suite starts servers."""
    run = Attempt(file)
    server = None if flags is None else Server(work, flags)
    client = Client(work, server, skipped, only)
    trouble, said, bugs = None, "", []
    try:
        trouble = client.run(run, server)
    finally:
        said, bugs = client.end()
        wrong = server and server.stop()
    if trouble or wrong or bugs:
        text = "\n".join(filter(None, (trouble, wrong, *bugs, trouble and said)))
        run.end(run.running or OUTSIDE + run.last, "failed", text, 0)
    return run


def converse(run, messages, server):
    """Lets the client run the file; returns what went wrong, or nothing."""
    quiet = 0
    while True:
        try:
            message = messages.next(1)
        except EOFError:
            return "the suite's client ended"
        if message is None:
            quiet += 1
            if server and not server.is_alive():
                return "the server ended"
            if quiet >= CASE_SECONDS:
                return f"nothing happened for {quiet} s"
            continue
        quiet = 0
        kind, data, ms = message[0], message[1], message[2] if len(message) > 2 else "0"
        if kind == "ready":
            messages.send_run(run.file)
            continue
        run.take(kind, data, ms)
        if run.is_done:
            return None


def run_file(work, file, flags, skipped, only):
    """Runs a file; what hangs or kills the server is left out and the file run again.

    Returns the cases and the notes of the run that came farthest, and what ended the others.
    """
    skipped, ended_by = list(skipped), []
    for left in reversed(range(ATTEMPTS)):
        run = attempt(work, file, flags, skipped, only)
        last = run.cases[-1] if run.cases else None
        if run.is_done or left == 0 or last is None or last.name.startswith(OUTSIDE):
            break
        ended_by.append(last)
        skipped.append(last.name)
    names = {case.name for case in ended_by}
    return [c for c in run.cases if c.name not in names] + ended_by, run.notes
