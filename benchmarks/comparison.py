"""What benchmarks/run computes and prints from measurements; no server and no clock in here.

Results are {measurement: {server: [what one round measured, …]}}; the lists of one measurement are
parallel, a round of one server beside the same round of the other. A round that a server did not
finish is None.
"""

import statistics

# Figures of one measurement: name -> function of it, None where there is none.
FIGURES = {
    "MB/s": lambda m: per(m["bytes"] / 1e6, m["wall_seconds"]) if m["bytes"] else None,
    "op/s": lambda m: per(m["operations"], m["wall_seconds"]),
    "p50 ms": lambda m: m["p50_ms"],
    "p99 ms": lambda m: m["p99_ms"],
    "CPU-s/GB": lambda m: per(m["cpu_seconds"], m["bytes"] / 1e9),
    "CPU us/op": lambda m: per(m["cpu_seconds"] * 1e6, m["operations"]),
    "CPU s": lambda m: m["cpu_seconds"],
    "flushes/op": lambda m: per(m["disk_flushes"], m["operations"]),
    "written MB": lambda m: m["written_bytes"] / 1e6,
    "peak RSS MB": lambda m: m["peak_rss_bytes"] / 1e6,
    "store MB": lambda m: m["store_bytes"] / 1e6 if "store_bytes" in m else None,
    "RSS MB": lambda m: m["rss_bytes"] / 1e6 if "rss_bytes" in m else None,
}
# What varve_load measures of everything; a measurement may have more, shown under its own name.
COMMON_KEYS = frozenset((
    "name", "connections", "operations", "bytes", "wall_seconds", "cpu_seconds", "written_bytes",
    "peak_rss_bytes", "disk_flushes", "p50_ms", "p99_ms", "p999_ms", "store_bytes"))
FLOOR = "floor"
OURS = "varve"
# From so many bytes an operation on the rate is of bytes, not of operations.
LARGE_OPERATION_BYTES = 1_000_000


def per(value, count):
    return value / count if count else None


def order_of_round(names, number):
    """A B, then B A, and so on."""
    return list(names) if number % 2 == 0 else list(names)[::-1]


def select(asked, measures):
    """{workload: prefixes of the measurements to show} of names or prefixes of workloads and
    measurements; everything when nothing is asked. `measures` is {workload: its measurements}.
    ValueError has what is unknown."""
    if not asked:
        return {workload: [""] for workload in measures}
    chosen = {}
    for request in asked:
        found = {workload: [""] for workload in measures if workload == request}
        if not found:
            found = {workload: [request] for workload, names in measures.items()
                     if any(name.startswith(request) for name in names)}
        if not found:
            found = {workload: [""] for workload in measures if workload.startswith(request)}
        if not found:
            raise ValueError(request)
        for workload, prefixes in found.items():
            chosen.setdefault(workload, []).extend(prefixes)
    return {workload: chosen[workload] for workload in measures if workload in chosen}


def figure_of(measurement, figure):
    """The figure's value; also of a key that is not common to all. None when there is none."""
    if figure in FIGURES:
        return FIGURES[figure](measurement)
    return measurement.get(figure)


def values(rounds, figure):
    """Of the rounds that were finished."""
    found = [figure_of(measurement, figure) for measurement in rounds if measurement is not None]
    return [value for value in found if value is not None]


def ratios(ours, theirs, figure):
    """Ours divided by theirs, round by round, without those that only one of them finished."""
    pairs = ((figure_of(a, figure), figure_of(b, figure)) for a, b in zip(ours, theirs)
             if a is not None and b is not None)
    return [a / b for a, b in pairs if a is not None and b]


def median_ratio(by_server, rival, figure):
    """None when no round has both."""
    found = ratios(by_server.get(OURS, []), by_server.get(rival, []), figure)
    return statistics.median(found) if found else None


# --- tables ----------------------------------------------------------------------------------

def number(value):
    """Three digits that count."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.3f}"


def spread(found):
    middle, low, high = (number(value) for value in (statistics.median(found), min(found),
                                                     max(found)))
    return middle if low == high else f"{middle} ({low}–{high})"


def sample_of(by_server):
    for rounds in by_server.values():
        for measurement in rounds:
            if measurement is not None:
                return measurement
    return None


def figures_that_matter(by_server):
    """The rows of a measurement: its rate, its latency when there is a distribution, its CPU time,
    its further keys."""
    sample = sample_of(by_server)
    large = sample["bytes"] >= sample["operations"] * LARGE_OPERATION_BYTES
    if not sample["operations"] or not sample["wall_seconds"]:
        rows = []
    elif large or (sample["bytes"] and sample["operations"] == 1):
        rows = ["MB/s", "CPU-s/GB"]
    else:
        rows = ["op/s", "CPU us/op"]
    if sample["operations"] >= 100 and rows:
        rows.insert(1, "p99 ms")
    further = []
    for rounds in by_server.values():
        for measurement in rounds:
            for key, value in (measurement or {}).items():
                known = key in COMMON_KEYS or key in further
                if not known and isinstance(value, (int, float)):
                    further.append(key)
    return rows + further


def rounds_of(by_server):
    """That one server finished."""
    return max(sum(measurement is not None for measurement in rounds)
               for rounds in by_server.values())


COSTS = ("peak RSS MB", "written MB", "store MB")
COSTS_TITLE = "peak RSS / written / store MB, flushes, CPU s"


def costs(rounds):
    """Medians of what else it took, in one cell; flushes are of the whole measurement."""
    cells = []
    for figure in COSTS:
        found = values(rounds, figure)
        cells.append(number(statistics.median(found)) if found else "–")
    flushes = [measurement["disk_flushes"] for measurement in rounds if measurement is not None]
    cells.append(number(statistics.median(flushes)) if flushes else "–")
    cpu = values(rounds, "CPU s")
    cells.append(number(statistics.median(cpu)) if cpu else "–")
    return " / ".join(cells)


def ratio_cell(by_server, rival, figure):
    ratio = median_ratio(by_server, rival, figure)
    if ratio is None:
        return ""
    return f"×{number(ratio)} of the floor" if rival == FLOOR else f"×{number(ratio)}"


def table(results, names, notes):
    """Markdown: a row per measurement and figure, a column per server, beside each rival's value
    varve's divided by it. `notes` is {server: what its title says besides its name}."""
    rivals = [name for name in names if name != OURS and
              any(sample_of({name: by_server.get(name, [])}) for by_server in results.values())]
    titles = [f"{name}{f' ({notes[name]})' if notes.get(name) else ''}" for name in rivals]
    head = ["measurement", "connections", "rounds", "figure", OURS]
    for title in titles:
        head += [title, "varve ÷ it"]
    lines = [head, ["---"] * len(head)]
    for measurement, by_server in results.items():
        sample = sample_of(by_server)
        if sample is None:
            continue
        first = [measurement, str(sample["connections"]), str(rounds_of(by_server))]
        for figure in figures_that_matter(by_server) + [COSTS_TITLE]:
            row = first + [figure]
            first = ["", "", ""]
            for name in [OURS] + rivals:
                rounds = by_server.get(name, [])
                if figure == COSTS_TITLE:
                    finished = any(measurement is not None for measurement in rounds)
                    row.append(costs(rounds) if finished else "–")
                else:
                    found = values(rounds, figure)
                    row.append(spread(found) if found else "–")
                if name != OURS:
                    row.append("" if figure == COSTS_TITLE else
                               ratio_cell(by_server, name, figure))
            lines.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
