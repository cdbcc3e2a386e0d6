# SPDX-License-Identifier: Apache-2.0
"""The table and the plot of tools/bench."""

import datetime
import pathlib
import platform
import statistics

import proxies
from rows import ROWS



def _figure(value):
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 4 else f"{value:.2f}"


def _cell(row, proxy, values):
    costs_nothing = proxy == "direct" and "CPU" in ROWS[row].title or row in ("idle", "rest")
    if not values or (proxy == "direct" and costs_nothing):
        return "–"
    text = _figure(statistics.median(values))
    if len(values) > 1:
        text += f" ({_figure(min(values))}–{_figure(max(values))})"
    return text


def _against_best_peer(row, figures):
    """Culvert's median over that of the best peer."""
    of = {name: statistics.median(by_row[row]) for name, by_row in figures.items() if by_row.get(row)}
    peers = [of[name] for name in proxies.PEER_NAMES if name in of]
    if "culvert" not in of or not peers:
        return "–"
    best = min(peers) if ROWS[row].less else max(peers)
    return f"{of['culvert'] / best:.2f}×" if best else "–"


def table(figures, rows, what):
    """`figures`: proxy -> row -> values of all rounds. Median, and lowest to highest."""
    names = list(figures)
    lines = [f"| one worker, {what} | " + " | ".join(names) + " | want | Culvert / best peer |",
             "|---|" + "---|" * (len(names) + 2)]
    for row in rows:
        cells = [_cell(row, name, figures[name].get(row, [])) for name in names]
        cells += [ROWS[row].want or "–", _against_best_peer(row, figures)]
        lines.append(f"| {ROWS[row].title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def circumstances(versions, rounds, amounts):
    """What the figures depend on, in one paragraph."""
    cores = pathlib.Path("/proc/cpuinfo").read_text().count("processor\t")
    named = "".join(f"; {name} {version}" for name, version in versions.items() if version)
    return (f"{datetime.date.today()}, {_cpu_model()}, {cores} cores, Linux {platform.release()}"
            f"{named}. {rounds} rounds of {amounts.bulk_bytes / 1e9:g} GB, {amounts.requests:,} "
            f"requests, {amounts.connections:,} connections; {amounts.idle:,} idle connections.")


def put_into_page(page, text, mark):
    """Replaces what stands between the page's two comments `MARK: begin` and `MARK: end`."""
    path = pathlib.Path(page)
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, rest = path.read_text().split(begin)
    path.write_text(before + begin + "\n" + text + "\n" + end + rest.split(end)[1])


def plot(figures, rows, stem):
    """Writes stem.svg and stem.png; without matplotlib says what to install."""
    try:
        import matplotlib
    except ImportError:
        return "no plot: matplotlib is missing. Install it with: apt-get install python3-matplotlib"
    matplotlib.use("svg")
    from matplotlib import pyplot
    pyplot.rcParams["svg.fonttype"] = "none"

    across = 3
    down = -(-len(rows) // across)
    figure, axes = pyplot.subplots(down, across, figsize=(15, 3.4 * down), squeeze=False)
    for axis in axes.flat[len(rows):]:
        axis.axis("off")
    for axis, row in zip(axes.flat, rows):
        _plot_row(axis, row, figures)
    figure.tight_layout()
    pathlib.Path(stem).parent.mkdir(parents=True, exist_ok=True)
    for kind in ("svg", "png"):
        figure.savefig(f"{stem}.{kind}", dpi=110)
    return f"plot: {stem}.svg, {stem}.png"


def _plot_row(axis, row, figures):
    names = [name for name in figures if _cell(row, name, figures[name].get(row, [])) != "–"]
    middle = [statistics.median(figures[name][row]) for name in names]
    low = [m - min(figures[name][row]) for m, name in zip(middle, names)]
    high = [max(figures[name][row]) - m for m, name in zip(middle, names)]
    colors = ["#c0392b" if name == "culvert" else
              "#34659b" if name in proxies.PEER_NAMES else "#b8bfc6" for name in names]
    axis.barh(names, middle, xerr=[low, high], color=colors, capsize=2,
              error_kw={"elinewidth": 0.8})
    if ROWS[row].want:
        axis.axvline(float(ROWS[row].want.split()[1]), color="#27ae60", linestyle="--", label="want")
        axis.legend(loc="lower right", fontsize=8)
    axis.invert_yaxis()
    axis.set_title(ROWS[row].title + ("" if ROWS[row].less else " (more is better)"), fontsize=10)
    axis.tick_params(labelsize=8)
