"""What bench/run.py can be asked for."""

import argparse
import os

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SECTIONS = ("one", "all", "start", "memory", "collections", "items", "types", "entries")


def words(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def millions(text):
    return sorted(round(float(part) * 1e6) for part in words(text))


def parse_options(description):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_selection(parser)
    add_measuring(parser)
    add_places(parser)
    options = parser.parse_args()
    if options.memory:
        options.sections = ["start", "memory"]
    elif options.collections:
        options.sections = ["collections", "items"]
    elif options.types:
        options.sections = ["types", "entries"]
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {', '.join(sorted(unknown))}")
    if options.rounds < 1 or options.seconds <= 0 or options.warm <= 0 or options.retries < 0:
        parser.error("--rounds, --seconds and --warm must be above 0, --retries not below")
    named = [name for name in ("memory", "collections", "types", "quick") if getattr(options, name)]
    options.name = options.name or (named or ["full"])[0]
    return options


def add_selection(parser):
    group = parser.add_argument_group("what to measure")
    group.add_argument("--quick", action="store_true", help="only the cases that have bars")
    group.add_argument("--memory", action="store_true", help="only start-up and bytes per key")
    group.add_argument(
        "--collections",
        action="store_true",
        help="only collections: CPU per operation and bytes per item",
    )
    group.add_argument(
        "--types",
        action="store_true",
        help="only streams, bitmaps, HyperLogLogs, geo: CPU per operation, bytes per entry",
    )
    group.add_argument(
        "--sections",
        type=words,
        default=["one", "all", "start"],
        help=f"comma list of {', '.join(SECTIONS)}; default: one, all, start",
    )
    group.add_argument(
        "--only",
        type=words,
        default=[],
        help="comma list: cases whose label contains one of it, such as 'get p30'",
    )
    group.add_argument(
        "--servers", type=words, default=[], help="comma list of server names; default: all"
    )
    group.add_argument("--without-ours", action="store_true", help="only the floor and the peers")
    group.add_argument(
        "--memory-keys",
        type=millions,
        default=millions("0.6,0.8,1,5,10"),
        help="comma list, in millions",
    )
    group.add_argument(
        "--items",
        type=millions,
        default=millions("0.6,0.8,1,2,5"),
        help="of one collection whose memory is read: comma list, in millions",
    )


def add_measuring(parser):
    group = parser.add_argument_group("how to measure")
    group.add_argument("--rounds", type=int, default=3)
    group.add_argument("--seconds", type=float, default=2, help="of each measurement")
    group.add_argument("--warm", type=float, default=0.5, help="seconds before each measurement")
    group.add_argument("--connections", type=int, default=50)
    group.add_argument("--server-threads", type=int, default=2, help="in the all-cores section")
    group.add_argument("--load-threads", type=int, default=1, help="in the all-cores section")
    group.add_argument(
        "--calm",
        type=float,
        default=15,
        help="measure again when others used more than this percentage of a core",
    )
    group.add_argument("--retries", type=int, default=2, help="how often to measure again")
    group.add_argument(
        "--settle", type=float, default=3, help="seconds between a fill and reading memory"
    )


def add_places(parser):
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    group = parser.add_argument_group("where things are")
    group.add_argument(
        "--target",
        default=os.path.join(target, "release"),
        help="folder of bench-load, bench-echo and dragonfly",
    )
    group.add_argument("--ours", help="command of our server with {port} and {threads}")
    group.add_argument("--port", type=int, default=17800, help="ports are taken from here on")
    group.add_argument(
        "--name", help="of the result; default: quick, memory, collections, types or full"
    )
    group.add_argument("--out", default=os.path.join(HERE, "results"), help="folder of the result")
    group.add_argument(
        "--render", metavar="JSON", help="only write the page of an earlier run again"
    )
