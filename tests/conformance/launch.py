#!/usr/bin/env python3
"""Stands for `redis-server` where the suites start servers themselves.

Called as src/redis-server in a suite's working copy. Takes out of the configuration file what our
server has no parameter for (and writes down what that was), puts ours in, and becomes our server.
Beside the link to this file lie `binary`, `flags` (names and values in turn), `parameters` and, to be
written, `dropped`.
"""

import os
import sys
import time

# A server that does not listen by then has failed, as the suite will find out.
ANNOUNCE_SECONDS = 5
HERE = os.path.dirname(os.path.abspath(sys.argv[0]))


def words(name):
    """The words in a file beside this one."""
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read().split()


def is_known(line, known):
    """Whether a line of the configuration file means something to our server."""
    return not line.strip() or line.startswith("#") or line.split()[0].lower() in known


def adapt(path, flags, known):
    """Rewrites the configuration file, in its place, as CONFIG REWRITE will."""
    with open(path, encoding="latin-1") as file:
        lines = file.read().splitlines()
    kept = [line for line in lines if is_known(line, known)]
    with open(os.path.join(HERE, "dropped"), "a", encoding="latin-1") as file:
        file.writelines(line + "\n" for line in lines if line not in kept)
    for name, value in zip(flags[::2], flags[1::2]):
        if not any(line.startswith(name + " ") for line in kept):
            kept.append(f"{name} {value}")
    with open(path, "w", encoding="latin-1") as file:
        file.writelines(line + "\n" for line in kept)


def announce():
    """Prints the words by which the suites know that a server listens, once ours says so in its own.

    A child does, as this process becomes the server.
    """
    log_path, server = os.readlink("/proc/self/fd/1"), os.getpid()
    start = os.path.getsize(log_path)
    if os.fork() == 0:
        end = time.monotonic() + ANNOUNCE_SECONDS
        while time.monotonic() < end and os.getppid() == server:
            with open(log_path, "rb") as log:
                log.seek(start)
                if b"istening on" in log.read():
                    break
            time.sleep(0.01)
        print(f" PID: {server} Server initialized", flush=True)
        os._exit(0)


def main():
    """Starts the server."""
    binary, flags, arguments = words("binary")[0], words("flags"), sys.argv[1:]
    if arguments and os.path.isfile(arguments[0]):
        adapt(arguments[0], flags, set(words("parameters")))
        if flags:
            announce()
    else:
        arguments = [f"--{word}" if at % 2 == 0 else word for at, word in enumerate(flags)] + arguments
    os.dup2(1, 2)
    os.execv(binary, [binary, *arguments])


if __name__ == "__main__":
    main()
