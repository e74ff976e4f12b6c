#!/usr/bin/env python3
"""How long others wait, and how much memory goes, while some clients do what is hard to serve.

    bench/stalls.py [--only case,case] [--size MiB] [--rounds N] COMMAND...

Each COMMAND starts a server and has `{port}` where its port belongs, for example
`target/release/dragonfly --port {port} --threads 1` or
`redis8=some/redis-server --port {port} --save ''`; what stands before the `=` names the column. A
row is a case. Waits are those of a connection that sends PING every millisecond from a process of
its own: the longest of the case, in milliseconds. Where a case tells seconds too, they are those
from sending the command until its whole reply was read, the median of --rounds; its wait goes on
until the server has no work left. Memory is resident memory, at its peak, above that before the
case. Needs Python only, and a limit of 20,000 open files. Servers and the connection that waits run
with high priority if they may, so that a wait is the server's doing and not that of the machine.
"""

import argparse
import functools
import itertools
import multiprocessing
import os
import resource
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1024 * 1024
FILES = 20_000
MILLION = 1_000_000
FILL_ITEMS = 1000  # In one command of a fill.
DEBUG = ["--enable-debug-command", "yes"]


def status(pid, name):
    """A size of the process, in bytes."""
    with open(f"/proc/{pid}/status") as lines:
        for line in lines:
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0


def hurry():
    """Gives this process a high priority, if it may have one."""
    try:
        os.nice(-15)
    except OSError:
        pass


def command(*words):
    """A command on the wire."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts += [b"$%d\r\n" % len(word), word, b"\r\n"]
    return b"".join(parts)


class Server:
    """A server that runs for one case."""

    def __init__(self, text):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = shlex.split(text.format(port=self.port)) + ["--maxclients", str(FILES)]
        self.directory = tempfile.TemporaryDirectory()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "preexec_fn": hurry}
        self.process = subprocess.Popen(words + DEBUG, cwd=self.directory.name, **quiet)
        for _ in range(1000):
            try:
                self.run("PING")
                break
            except OSError:
                time.sleep(0.01)
        time.sleep(0.3)
        self.before = self.resident()

    def resident(self):
        return status(self.process.pid, "VmRSS")

    def grown(self):
        """MiB of resident memory above that at the start, at the peak so far."""
        return (status(self.process.pid, "VmHWM") - self.before) / MIB

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")
        self.before = self.resident()

    def connect(self, buffer=None, source=None):
        client = socket.socket()
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.connect((source or "127.0.0.1", self.port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def run(self, *words):
        """Runs a command with a short reply."""
        with self.connect() as client:
            client.sendall(command(*words))
            return client.recv(65536)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()


def ping(server, pipe):
    """Sends PING every millisecond, and tells the longest wait when asked to."""
    hurry()
    client, longest = server.connect(), 0
    pipe.send(None)
    while not pipe.poll():
        start = time.perf_counter()
        client.sendall(b"PING\r\n")
        client.recv(64)
        longest = max(longest, time.perf_counter() - start)
        time.sleep(0.001)
    pipe.send(longest * 1000)


class Pinger:
    """The longest wait of a client, in milliseconds."""

    def __init__(self, server):
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=ping, args=(server, other), daemon=True)
        self.process.start()
        self.pipe.recv()

    def stop(self):
        self.pipe.send(None)
        longest = self.pipe.recv()
        self.process.join()
        return longest


def read_bulk(client, buffer):
    """Reads a bulk reply."""
    head = bytearray()
    while not head.endswith(b"\r\n"):
        head += client.recv(1)
    left = int(head[1:-2]) + 2
    while left:
        left -= client.recv_into(buffer, min(left, len(buffer)))


def large_values(server, key, size, rounds):
    """Sets and gets a large value, again and again."""
    client, buffer = server.connect(), bytearray(MIB)
    piece = b"v" * MIB
    for _ in range(rounds):
        client.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(key), key, size * MIB))
        for _ in range(size):
            client.sendall(piece)
        client.sendall(b"\r\n")
        assert client.recv(64) == b"+OK\r\n"
        client.sendall(command("GET", key))
        read_bulk(client, buffer)


def beside(server, *works):
    """Does works in processes of their own; the longest wait of another client meanwhile."""
    pinger = Pinger(server)
    processes = [multiprocessing.Process(target=work[0], args=work[1:]) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0, "a client failed"
    return pinger.stop()


def idle(server, _):
    """Idle connections."""
    clients = [server.connect(source=f"127.0.0.{1 + n % 4}") for n in range(10_000)]
    server.run("PING")
    time.sleep(0.5)
    opened = (server.resident() - server.before) / len(clients)
    for client in clients:
        client.sendall(b"PING\r\n")
    assert all(client.recv(64) == b"+PONG\r\n" for client in clients)
    time.sleep(0.5)
    pinged = (server.resident() - server.before) / len(clients)
    more = FILES - 1000 - len(clients)
    clients += [server.connect(source=f"127.0.0.{1 + n % 4}") for n in range(more)]
    for client in clients:
        client.sendall(b"PING\r\n")
    answered = sum(client.recv(64) == b"+PONG\r\n" for client in clients)
    return f"{opened:.0f} / {pinged:.0f} B, {answered} answer"


def connects(server, _):
    """Connects per second."""
    count, start = 20_000, time.perf_counter()
    for _ in range(count):
        client = socket.socket()
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"PING\r\n")
        client.recv(64)
        client.close()
    return f"{count / (time.perf_counter() - start):,.0f}/s"


def one_set(server, options):
    """Memory at the peak of one SET."""
    size = options.size
    server.forget_peak()
    client, piece = server.connect(), b"v" * MIB
    client.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (size * MIB))
    for _ in range(size):
        client.sendall(piece)
    client.sendall(b"\r\n")
    assert client.recv(64) == b"+OK\r\n"
    return f"{server.grown() / size:.2f} x its size"


def values(server, options):
    """Two clients set and get large values."""
    works = [(large_values, server, key, options.size, options.rounds) for key in (b"a", b"b")]
    return f"{beside(server, *works):.1f} ms"


def announcers(server, _):
    """200 clients announce 512 MiB and send nothing, 200 send 1 KiB of it."""
    head = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n"
    clients = [server.connect() for _ in range(400)]
    for number, client in enumerate(clients):
        client.sendall(head + b"v" * (1024 * (number % 2)))
    server.run("PING")
    time.sleep(1)
    return f"{server.grown():.1f} MiB"


def send_for_a_while(server, request, seconds):
    """Sends requests on 100 connections that never read, as far as the server takes them."""
    clients = [server.connect(buffer=4096) for _ in range(100)]
    for client in clients:
        client.setblocking(False)
    until = time.time() + seconds
    while time.time() < until:
        for client in clients:
            try:
                client.send(request)
            except OSError:
                # It takes no more, or has closed the connection.
                pass
        time.sleep(0.001)


def never_readers(server, request):
    server.forget_peak()
    longest = beside(server, (send_for_a_while, server, request, 3))
    return f"{longest:.1f} ms, {server.grown():.0f} MiB"


def readers_100k(server, _):
    """100 readers that never read GETs of 100 KiB."""
    server.run("SET", "k", b"v" * 100 * 1024)
    return never_readers(server, command("GET", "k") * 100)


def readers_10m(server, _):
    """100 readers that never read GETs of 10 MiB."""
    server.run("SET", "k", b"v" * 10 * MIB)
    return never_readers(server, command("GET", "k") * 100)


def readers_keys(server, _):
    """100 readers that never read KEYS of a million."""
    server.run("DEBUG", "POPULATE", 1_000_000)
    return never_readers(server, command("KEYS", "*") * 10)


def send_pipeline(server):
    client = server.connect()
    request = command("SET", "key", "value") * 1000
    writer = multiprocessing.Process(target=lambda: [client.sendall(request) for _ in range(1000)])
    writer.start()
    left = 5 * 1_000_000
    while left:
        left -= len(client.recv(MIB))
    writer.join()


def pipeline(server, _):
    """A pipeline of a million commands."""
    return f"{beside(server, (send_pipeline, server)):.1f} ms"


def ask_for_keys(server):
    client = server.connect()
    client.sendall(command("KEYS", "*") + b"PING\r\n")
    tail = b""
    while not tail.endswith(b"+PONG\r\n"):
        tail = tail[-16:] + client.recv(MIB)


def keys(server, _):
    """KEYS on ten million keys."""
    server.run("DEBUG", "POPULATE", 10_000_000)
    return f"{beside(server, (ask_for_keys, server)):.1f} ms"


def grow(server, items, *head):
    """Fills a collection by a command that takes many items."""
    with server.connect() as client:
        while batch := list(itertools.islice(items, FILL_ITEMS)):
            client.sendall(command(*head, *itertools.chain.from_iterable(batch)))
            reply = client.recv(4096)
            assert reply.startswith(b":"), f"{head[0]} answered {reply[:80]!r}"


def member(number):
    return b"mem:%012d" % number


def scattered(number):
    """Always the same for the same number below 2^32, in no order, and never twice the same."""
    return number * 2_654_435_761 % 2**32


def quiet(server):
    """Waits until the server does no more work of its own, such as freeing what was deleted."""

    def ticks():
        with open(f"/proc/{server.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before, at_most = ticks(), os.sysconf("SC_CLK_TCK") / 20
    for _ in range(100):
        time.sleep(0.2)
        now = ticks()
        if now - before <= at_most:
            break
        before = now


def timed(server, pipe, words):
    """Runs a command; tells the seconds until its reply was read, and how the reply begins."""
    client, head, tail = server.connect(), b"", b""
    start = time.perf_counter()
    client.sendall(command(*words) + b"PING\r\n")
    while not tail.endswith(b"+PONG\r\n"):
        part = client.recv(MIB)
        assert part, "the connection was closed"
        head, tail = head or part[:80], tail[-16:] + part
    pipe.send((time.perf_counter() - start, head))
    quiet(server)


def long_command(server, options, expected, *words, before=None):
    """A command's time, and the longest wait of another client until all its work is done."""
    times, waits = [], []
    for _ in range(options.rounds):
        if before:
            before()
        quiet(server)
        ours, theirs = multiprocessing.Pipe()
        waits.append(beside(server, (timed, server, theirs, words)))
        seconds, head = ours.recv()
        assert head.startswith(expected), f"{words[0]} answered {head!r}"
        times.append(seconds)
    return f"{statistics.median(times):.3f} s, {max(waits):.1f} ms"


def nothing(server, options):
    """Nothing but the one who waits."""
    return f"{max(beside(server, (time.sleep, 1)) for _ in range(options.rounds)):.1f} ms"


def two_collections(server, name, item):
    """Two of a million members, half of which are in both."""
    for key, first in ((b"a", 0), (b"b", MILLION // 2)):
        grow(server, (item(number) for number in range(first, first + MILLION)), name, key)


def zunionstore(server, options):
    """ZUNIONSTORE of two sorted sets of a million."""
    two_collections(server, "ZADD", lambda number: (scattered(number), member(number)))
    drop = functools.partial(server.run, "DEL", "c")
    words = ("ZUNIONSTORE", "c", 2, "a", "b")
    return long_command(server, options, b":1500000\r\n", *words, before=drop)


def sinter(server, options):
    """SINTER of two sets of a million."""
    two_collections(server, "SADD", lambda number: (member(number),))
    return long_command(server, options, b"*500000\r\n", "SINTER", "a", "b")


def list_of_numbers(server):
    grow(server, ((scattered(number),) for number in range(MILLION)), "RPUSH", "l")


def sort(server, options):
    """SORT of a list of a million numbers."""
    list_of_numbers(server)
    return long_command(server, options, b"*1000000\r\n$1\r\n0\r\n", "SORT", "l")


def sort_limit(server, options):
    """SORT of a list of a million numbers, LIMIT 0 10."""
    list_of_numbers(server)
    words = ("SORT", "l", "LIMIT", 0, 10)
    return long_command(server, options, b"*10\r\n$1\r\n0\r\n", *words)


def delete(server, options):
    """DEL of a set of ten million."""

    def fill():
        grow(server, ((member(number),) for number in range(10 * MILLION)), "SADD", "s")

    # Once only: filling takes most of the time.
    once = argparse.Namespace(rounds=1)
    return long_command(server, once, b":1\r\n", "DEL", "s", before=fill)


CASES = [
    idle, connects, one_set, values, announcers,
    readers_100k, readers_10m, readers_keys, pipeline, keys,
    nothing, zunionstore, sinter, sort, sort_limit, delete,
]


def named(text):
    """A server's name and command."""
    name, equals, rest = text.partition("=")
    has_name = equals and name.isidentifier()
    return (name, rest) if has_name else (os.path.basename(shlex.split(text)[0]), text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("commands", nargs="+")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    multiprocessing.set_start_method("fork")
    servers = [named(text) for text in options.commands]
    print("| case |", " | ".join(name for name, _ in servers), "|\n|" + "---|" * (len(servers) + 1))
    for case in CASES:
        if options.only and case.__name__ not in options.only.split(","):
            continue
        cells = []
        for _, text in servers:
            server = Server(text)
            try:
                cells.append(case(server, options))
            except (AssertionError, OSError) as error:
                cells.append(f"failed: {error}")
            server.stop()
        print(f"| {case.__doc__.rstrip('.')} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    sys.exit(main())
