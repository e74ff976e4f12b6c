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
        self.was_seen = False
        self.is_glob = "*" in case

    def __str__(self):
        return f"skips.txt:{self.number}: {self.suite} | {self.file} | {self.case}"

    def is_of_suite(self, suite):
        """Whether it speaks of this suite, whose name ends in a version."""
        wanted = self.suite.partition("+")[0]
        return wanted == "both" or re.match(re.escape(wanted) + r"(?=[-.]|$)", suite) is not None

    def is_of(self, suite, mode, file):
        """Whether it speaks of this file of this suite."""
        is_of_mode = self.suite.partition("+")[2] in ("", mode)
        return self.is_of_suite(suite) and is_of_mode and self.file == file

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

    def of(self, case):
        """The lines that say a case fails."""
        return [s for s in self.skips if s.how == "fails" and s.covers(case)]

    def stale(self, cases):
        """Says which lines have lost their reason, given the cases (names and statuses) that ended."""
        lines = [f"{s}: the server knows {s.command} now" for s in self.overdue]
        for skip in self.skips:
            statuses = {status for name, status in cases if skip.covers(name)}
            skip.was_seen = skip.was_seen or bool(statuses) or skip is self.whole
            if skip.how == "fails" and "ok" in statuses and "failed" not in statuses:
                lines.append(f"{skip}: passes now, take the line out")
        return lines
