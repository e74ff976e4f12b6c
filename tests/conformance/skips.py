"""The list of cases that are not expected to pass, skips.txt, and what is told about it.

The head of that file says what a line looks like.
"""

import re
from pathlib import Path

FILE = Path(__file__).parent / "skips.txt"
KINDS = ("internal", "later", "differs", "tool")


class Skip:
    """A line of the file."""

    def __init__(self, number, suite, file, case, how, reason):
        self.number, self.suite, self.file, self.case = number, suite, file, case
        self.reason = reason
        self.how, _, self.command = how.partition(" ")
        self.failed = self.passed = 0
        self.is_glob = "*" in case

    def __str__(self):
        return f"skips.txt:{self.number}: {self.suite} | {self.file} | {self.case}"

    def is_of(self, suite, mode, file):
        """Whether it speaks of this file of this suite, whose name ends in a version."""
        wanted, _, wanted_mode = self.suite.partition("+")
        of_suite = wanted == "both" or suite == wanted or suite.startswith(wanted + "-")
        return of_suite and wanted_mode in ("", mode) and self.file == file

    def covers(self, name):
        """Whether it speaks of the case."""
        if not self.is_glob:
            return self.case == name
        parts = map(re.escape, self.case.split("*"))
        return re.fullmatch(".*".join(parts), name, re.DOTALL) is not None


def read(path=FILE):
    """All lines; raises a ValueError that names the one that is malformed."""
    skips = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split(" | ")]
        if len(fields) != 5:
            raise ValueError(f"skips.txt:{number}: not five fields")
        skip = Skip(number, *fields)
        if skip.how not in ("fails", "never", "until") or (skip.how == "until") != bool(skip.command):
            raise ValueError(f"skips.txt:{number}: '{fields[3]}' is not a way to skip")
        if not skip.reason.startswith(KINDS) or ":" not in skip.reason:
            raise ValueError(f"skips.txt:{number}: a reason opens with one of {', '.join(KINDS)}")
        skips.append(skip)
    return skips


class OfFile:
    """The skips of one file, while it runs."""

    def __init__(self, skips, suite, mode, file, known):
        """`known` tells whether the server knows a command."""
        self.skips = [skip for skip in skips if skip.is_of(suite, mode, file)]
        self.overdue = [s for s in self.skips if s.how == "until" and known(s.command)]
        self.whole = next(
            (s for s in self.skips if s.case == "*" and s not in self.overdue and s.how != "fails"), None
        )
        self.not_run = [s for s in self.skips if s.how != "fails" and s not in self.overdue]

    def expected_to_fail(self, name, failed):
        """Takes note of how a case ended, and returns the line that speaks of it."""
        found = None
        for skip in self.skips:
            if skip.how == "fails" and skip.covers(name):
                found = skip
                if failed:
                    skip.failed += 1
                else:
                    skip.passed += 1
        return found
