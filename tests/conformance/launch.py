#!/usr/bin/env python3
"""Stands for `redis-server` where the suites start servers themselves.

Called as src/redis-server in a suite's working copy, with a configuration file: takes out of it what
our server has no parameter for (and writes down what that was), and becomes our server. Beside this
file's link lie `binary`, `flags`, `parameters` and, to be written, `dropped`.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(sys.argv[0]))


def words(name):
    """The words in a file beside this one."""
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read().split()


def main():
    """Starts the server."""
    binary, flags, known = words("binary")[0], words("flags"), set(words("parameters"))
    arguments = sys.argv[1:]
    if arguments and os.path.isfile(arguments[0]):
        with open(arguments[0], encoding="latin-1") as file:
            lines = file.read().splitlines()
        kept = [line for line in lines if not line.split() or line.split()[0].lower() in known]
        dropped = {line for line in lines if line not in kept}
        with open(os.path.join(HERE, "dropped"), "a", encoding="latin-1") as file:
            file.writelines(line + "\n" for line in sorted(dropped))
        with open(arguments[0] + ".kept", "w", encoding="latin-1") as file:
            file.writelines(line + "\n" for line in kept)
        arguments[0] += ".kept"
    # The suites look for these words; the log may say them in others.
    print(f" PID: {os.getpid()} Server initialized", flush=True)
    os.dup2(1, 2)
    os.execv(binary, [binary, *arguments, *flags])


if __name__ == "__main__":
    main()
