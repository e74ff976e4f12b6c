"""Turns the samples of a run into a page of Markdown tables and one plot in SVG.

Every number is a median over the rounds. A ratio is taken within each round first, so that a slow
minute of the machine hits both of its sides, and its median is shown.
"""

import itertools
import os
import statistics
from html import escape

from servers import FLOOR, OURS

SECTION_TITLES = {
    "one": "One server thread, pinned (server on one core, load generator on the other)",
    "all": "All cores, nothing pinned",
    "collections": "Collections: one server thread, pinned, pipeline of 30",
    "types": "Streams, bitmaps, HyperLogLogs and geo: one server thread, pinned, pipeline of 30",
}
COLORS = {OURS: "#d9480f", FLOOR: "#adb5bd"}
PEER_COLORS = (
    "#1c7ed6",
    "#2f9e44",
    "#9c36b5",
    "#e8a100",
    "#0c8599",
    "#c2255c",
    "#5f3dc4",
    "#66a80f",
)


def write(results, folder):
    """Writes <name>.md and <name>.svg; returns the path of the page."""
    os.makedirs(folder, exist_ok=True)
    name = results["name"]
    plots = [section for section in SECTION_TITLES if samples_of(results, section)]
    for section in plots:
        with open(os.path.join(folder, plot_name(name, section)), "w", encoding="utf-8") as file:
            file.write(plot(results, section))
    path = os.path.join(folder, name + ".md")
    with open(path, "w", encoding="utf-8") as file:
        file.write(page(results))
    return path


def plot_name(name, section):
    return f"{name}.svg" if section in ("one", name) else f"{name}-{section}.svg"


def page(results):
    parts = [f"# Benchmark: {results['name']}", header(results)]
    for section, title in SECTION_TITLES.items():
        if samples_of(results, section):
            parts += [
                f"## {title}",
                f"![server CPU per operation]({plot_name(results['name'], section)})",
                overview(results, section),
                "### In detail",
                details(results, section),
            ]
    if results["memory"]:
        parts += ["## Memory", memory(results)]
    if results.get("items"):
        parts += ["## Memory of collections", items(results)]
    if results["start"]:
        parts += ["## Start", start(results)]
    if results["failures"]:
        parts += ["## Failures", "\n".join(f"- {text}" for text in results["failures"])]
    return "\n\n".join(parts) + "\n"


def header(results):
    options, foreign = results["options"], [sample["foreign"] for sample in results["speed"]]
    lines = [f"- {name}: {value}" for name, value in results["machine"].items()]
    lines.append(
        f"- measured: {results['date']}"
        + (f", commit {results['commit']}" if results["commit"] else "")
    )
    if foreign:
        lines.append(
            f"- {options['rounds']} interleaved rounds of {options['seconds']:g} s, "
            f"{options['connections']} connections; medians over rounds"
        )
        lines.append(
            f"- other load on the machine during measurements: median "
            f"{statistics.median(foreign):.0f} %, at most {max(foreign):.0f} % of one core"
        )
    servers = [
        [titled(results, name), f"`{server['command']}`"]
        for name, server in results["servers"].items()
    ]
    return "\n".join(lines) + "\n\n" + table(["server", "started as"], servers)


# ------------------------------------------------------------------ numbers


def samples_of(results, section):
    return [sample for sample in results["speed"] if sample["section"] == section]


def by_case(samples):
    """case -> server -> round -> sample, in the order measured."""
    cases = {}
    for sample in samples:
        cases.setdefault(sample["case"], {}).setdefault(sample["server"], {})[sample["round"]] = (
            sample
        )
    return cases


def median(rounds, field):
    return statistics.median(sample[field] for sample in rounds.values())


def peers_in(results, servers):
    return [name for name in servers if results["servers"][name]["peer"]]


def ratio(servers, name, others, field, best):
    """Median over rounds of `name` to the best of `others` in the same round, or None."""
    ratios = []
    for number, sample in servers.get(name, {}).items():
        rivals = [
            servers[other][number][field] for other in others if number in servers.get(other, {})
        ]
        if rivals:
            ratios.append(sample[field] / best(rivals))
    return statistics.median(ratios) if ratios else None


def best_peer(results, servers):
    """The peer with the least CPU per operation."""
    return min(
        peers_in(results, servers), key=lambda name: median(servers[name], "cpu_us"), default=None
    )


# ------------------------------------------------------------------ tables


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def titled(results, name):
    return f"{name} {results['servers'][name]['version']}".strip()


def shown(value, form):
    return "–" if value is None else format(value, form)


def overview(results, section):
    """CPU per operation of all servers side by side, and how ours compares."""
    cases = by_case(samples_of(results, section))
    names = [
        name for name in results["servers"] if any(name in servers for servers in cases.values())
    ]
    ours = OURS in names
    rows = []
    for case, servers in cases.items():
        row = [case] + [
            shown(median(servers[name], "cpu_us"), ".3f") if name in servers else "–"
            for name in names
        ]
        if ours:
            row += [
                shown(ratio(servers, OURS, [FLOOR], "cpu_us", min), ".2f"),
                shown(ratio(servers, OURS, peers_in(results, servers), "cpu_us", min), ".2f"),
                shown(
                    ratio(servers, OURS, peers_in(results, servers), "ops_per_second", max), ".2f"
                ),
                best_peer(results, servers) or "–",
            ]
        rows.append(row)
    head = ["server CPU, µs per operation"] + [titled(results, name) for name in names]
    if ours:
        head += ["ours : floor", "ours : best peer", "ops/s, ours : best peer", "best peer (CPU)"]
    return table(head, rows)


def details(results, section):
    rows = []
    for case, servers in by_case(samples_of(results, section)).items():
        for name, rounds in servers.items():
            costs = [sample["cpu_us"] for sample in rounds.values()]
            rows.append(
                [
                    case,
                    name,
                    f"{median(rounds, 'cpu_us'):.3f}",
                    f"{min(costs):.3f}–{max(costs):.3f}",
                    f"{median(rounds, 'kernel_share') * 100:.0f} %",
                    shown(ratio(servers, name, [FLOOR], "cpu_us", min), ".2f"),
                    shown(ratio(servers, name, peers_in(results, servers), "cpu_us", min), ".2f"),
                    f"{median(rounds, 'ops_per_second'):,.0f}",
                    f"{median(rounds, 'p50_us'):,.0f}",
                    f"{median(rounds, 'p99_us'):,.0f}",
                    f"{median(rounds, 'p99.9_us'):,.0f}",
                    f"{median(rounds, 'server_core'):.0f} %",
                    f"{median(rounds, 'load_core'):.0f} %",
                    f"{median(rounds, 'foreign'):.0f} %",
                ]
            )
    return table(
        [
            "case",
            "server",
            "CPU µs/op",
            "min–max",
            "kernel",
            ": floor",
            ": best peer",
            "ops/s",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "server core",
            "load core",
            "foreign",
        ],
        rows,
    )


def memory(results):
    """Bytes of resident memory that a key costs, by number of keys."""
    stages = sorted({sample["keys"] for sample in results["memory"]})
    cells = {
        (sample["server"], sample["expires"], sample["keys"]): sample["bytes_per_key"]
        for sample in results["memory"]
    }
    rows = [
        [titled(results, name), "yes" if expires else "no"]
        + [shown(cells.get((name, expires, keys)), ".1f") for keys in stages]
        for expires in (False, True)
        for name in results["servers"]
        if any((name, expires, keys) in cells for keys in stages)
    ]
    text = (
        "Growth of resident memory per key, in bytes: 16-byte keys, 32-byte values, "
        "one process filled in stages."
    )
    return (
        text
        + "\n\n"
        + table(["server", "TTL"] + [f"{keys / 1e6:g} M keys" for keys in stages], rows)
    )


def items(results):
    """Bytes that an item costs, by what it is and the size of its collection."""
    stages = sorted({sample["items"] for sample in results["items"]})
    cells = {
        (sample["shape"], sample["server"], sample["items"]): sample for sample in results["items"]
    }
    rows = []
    for shape, name, (field, word) in itertools.product(
        dict.fromkeys(sample["shape"] for sample in results["items"]),
        results["servers"],
        (("resident", "resident"), ("used", "used_memory")),
    ):
        costs = [cells.get((shape, name, count), {}).get(field) for count in stages]
        measured = [cost for cost in costs if cost is not None]
        if measured:
            spread = max(measured) / min(measured) if len(measured) > 1 else None
            rows.append(
                [f"{shape}, {titled(results, name)}", word]
                + [shown(cost, ".1f") for cost in costs]
                + [shown(spread, ".2f")]
            )
    text = (
        "Growth of memory per item, in bytes: members, fields and values of 16 bytes, one process "
        "in which one collection grows in stages; small collections and expiries after one fill. "
        "Entries of streams have one field, and what has not 16 bytes in them has one."
    )
    head = ["item and server", "memory"] + [f"{count:,}" for count in stages]
    head.append("most : least")
    return text + "\n\n" + table(head, rows)


def start(results):
    rows = []
    for name in results["servers"]:
        samples = [sample for sample in results["start"] if sample["server"] == name]
        if samples:
            rows.append(
                [
                    titled(results, name),
                    f"{statistics.median(sample['ready_ms'] for sample in samples):.1f}",
                    f"{statistics.median(sample['empty_bytes'] for sample in samples) / 2**20:.1f}",
                ]
            )
    return table(["server, one thread", "start to first PONG, ms", "empty, MiB resident"], rows)


# ------------------------------------------------------------------ plot

BAR, GAP, PLOT_HEIGHT, LEFT, PANEL_TOP = 22, 26, 190, 56, 46
LONG_US = 30  # Cases that cost some server more have a panel of their own.
LETTER = 8


def plot(results, section):
    """A panel for each pipeline depth, and one for its long commands, as costs differ tenfold."""
    samples = [sample for sample in samples_of(results, section) if plotted(sample)]
    samples = samples or samples_of(results, section)
    names = [
        name for name in results["servers"] if any(sample["server"] == name for sample in samples)
    ]
    colors = dict(zip((name for name in names if name not in COLORS), PEER_COLORS * 9)) | COLORS
    panels, top, width = [], 58, 480
    for depth, cases in panels_of(samples):
        body, panel_width = panel(depth, cases, names, colors, top)
        panels.append(body)
        top += PANEL_TOP + PLOT_HEIGHT + 34
        width = max(width, panel_width)
    legend, legend_width = legend_of(results, names, colors)
    width = max(width, legend_width)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" '
            f'width="{width}" height="{top}" '
            'font-family="system-ui, sans-serif" font-size="12" fill="#212529">',
            f'<rect width="{width}" height="{top}" fill="#ffffff"/>',
            '<text x="16" y="24" font-size="15" font-weight="600">'
            "Server CPU per operation, µs (less is better)</text>",
            legend,
            *panels,
            "</svg>",
            "",
        ]
    )


def panels_of(samples):
    """The pipeline depth and the cases of each panel."""

    def is_long(servers):
        return max(median(rounds, "cpu_us") for rounds in servers.values()) > LONG_US

    for depth in sorted({sample["pipeline"] for sample in samples}):
        cases = by_case([sample for sample in samples if sample["pipeline"] == depth])
        for wanted in (False, True):
            chosen = {case: it for case, it in cases.items() if is_long(it) == wanted}
            if chosen:
                yield depth, chosen


def plotted(sample):
    """Small values only: the whole matrix would not fit a picture."""
    return " 64 B " in sample["case"] and not sample["case"].endswith("zipf")


def legend_of(results, names, colors):
    parts, x = [], 16
    for name in names:
        title = titled(results, name)
        parts.append(
            f'<rect x="{x}" y="38" width="11" height="11" rx="2" fill="{colors[name]}"/>'
            f'<text x="{x + 16}" y="48">{escape(title)}</text>'
        )
        x += 34 + 7 * len(title)
    return "".join(parts), x


def panel(depth, cases, names, colors, top):
    groups = {
        case: {name: median(servers[name], "cpu_us") for name in names if name in servers}
        for case, servers in cases.items()
    }
    scale = nice_ceiling(max(value for bars in groups.values() for value in bars.values()))
    base = top + PANEL_TOP + PLOT_HEIGHT
    widths = {
        case: max(len(bars) * BAR, LETTER * len(group_title(case))) for case, bars in groups.items()
    }
    width = LEFT + 16 + sum(widths.values()) + GAP * len(widths)
    parts = [
        f'<text x="16" y="{top + 24}" font-weight="600">'
        f"{'no pipeline' if depth == 1 else f'pipeline {depth}'}</text>"
    ]
    for step in range(5):
        y = base - PLOT_HEIGHT * step / 4
        parts.append(
            f'<line x1="{LEFT}" x2="{width - 12}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dee2e6"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#868e96">'
            f"{scale * step / 4:g}</text>"
        )
    x = LEFT + GAP / 2
    for case, bars in groups.items():
        middle, after = x + widths[case] / 2, x + widths[case] + GAP
        x = middle - len(bars) * BAR / 2
        for name, value in bars.items():
            height = PLOT_HEIGHT * value / scale
            parts.append(
                f'<rect x="{x + 1:.1f}" y="{base - height:.1f}" width="{BAR - 2}" '
                f'height="{height:.1f}" rx="2" fill="{colors[name]}">'
                f"<title>{escape(name)}: {value:.3f} µs</title></rect>"
                f'<text x="{x + BAR / 2:.1f}" y="{base - height - 4:.1f}" text-anchor="middle" '
                f'font-size="9">{value:.{1 if value >= 10 else 2}f}</text>'
            )
            x += BAR
        parts.append(
            f'<text x="{middle:.1f}" y="{base + 18}" text-anchor="middle">'
            f"{escape(group_title(case))}</text>"
        )
        x = after
    return "".join(parts), width


def group_title(case):
    words = case.split()
    return words[0].upper() + (" hot key" if words[-1] == "hot" else "")


def nice_ceiling(value):
    """The next of 1, 2, 4, 6, 8 times a power of ten."""
    power = 10 ** len(str(int(value)))
    while power / 10 >= value:
        power /= 10
    return next(step * power / 10 for step in (1, 2, 4, 6, 8, 10) if step * power / 10 >= value)
