"""Changes to the unpacked suites before they run: what they are, and why.

A change is a file below `tests`, the text that stands there and the text that shall. One that
finds nothing to change fails the run, so that none outlives its reason.
"""

import collections
from pathlib import Path

Patch = collections.namedtuple("Patch", "suite file old new why")

PATCHES = [
    Patch(
        "both",
        "support/server.tcl",
        "    r flushall\n    r function flush\n",
        "    r flushall\n    catch {r function flush}\n",
        "later (functions): the suite empties the server before each block, outside of any case",
    ),
    Patch(
        "both",
        "support/server.tcl",
        "        r config set $param $val\n\n        # If",
        "        if {[catch {r config set $param $val} refused]} {\n"
        "            send_data_packet $::test_server_fd note \"config set $param $val: $refused\"\n"
        "        }\n\n        # If",
        "a parameter of a later issue must not hide the cases of the block; the run tells of it",
    ),
    Patch(
        "both",
        "support/server.tcl",
        "    dict for {param val} $saved_config {\n        r config set $param $val\n",
        "    dict for {param val} $saved_config {\n        catch {r config set $param $val}\n",
        "the same, when the old value is put back",
    ),
    Patch(
        "both",
        "support/server.tcl",
        '"Ready to accept"',
        '"eady to accept"',
        "our log says it without a capital letter",
    ),
    Patch(
        "both",
        "support/server.tcl",
        "if {!$assertion && $::durable} {",
        "set ::tags [lrange $::tags 0 end-[llength $tags]]\n"
        '            if {$::durable && $::cur_test eq ""} {',
        "a failure within a case is the case's, one outside of it must not end the file",
    ),
    Patch(
        "both",
        "support/server.tcl",
        'err [join $details "\\n"]\n            } else {\n                # Re-raise',
        'err [join $details "\\n"]\n                return\n'
        "            } else {\n                # Re-raise",
        "the suite would go on to kill the server of the block around, and end",
    ),
    Patch(
        "both",
        "assets/default.conf",
        "notify-keyspace-events KEA\n",
        "",
        "later (keyspace notifications): the server refuses to start so",
    ),
    Patch(
        "redis",
        "assets/default.conf",
        "save 900 1\n",
        "save ''\n",
        "later (persistence): the server refuses to save",
    ),
    Patch(
        "redis",
        "support/test.tcl",
        "    set val [r object encoding $key]\n",
        "    set val [r object encoding $key]\n"
        '    if {$enc eq "quicklist" && $val eq "listpack"} { return }\n',
        "Redis 7.0 has one form of lists, Redis 7.2 and we have two",
    ),
    Patch(
        "redis",
        "unit/type/set.tcl",
        '"set-max-intset-entries" 512\n    }\n} {\n    proc create_set',
        '"set-max-intset-entries" 512\n        "set-max-listpack-entries" 0\n    }\n} {\n'
        "    proc create_set",
        "packed sets came with Redis 7.2",
    ),
]


def apply(suite, tests):
    """Changes the copy of a suite; returns the patches that found nothing to change."""
    missed = []
    for patch in PATCHES:
        if patch.suite != "both" and not suite.startswith(patch.suite):
            continue
        path = Path(tests) / patch.file
        text = path.read_text(encoding="latin-1")
        if text.count(patch.old) == 0:
            missed.append(patch)
            continue
        path.write_text(text.replace(patch.old, patch.new), encoding="latin-1")
    return missed
