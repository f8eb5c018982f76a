"""Plots as SVG and heat maps as tables, for the reports.

Text stays text, and every colour is a class of the page's style, so that a drawing serves light and dark. An `Entry` is
a figure with its interval: ``{"value": …, "low": …, "high": …}``, each of which may be None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

Entry = Mapping[str, float | None]

_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_PAD = 7.0


def tag(name: str, content: str = "", /, **attributes: Any) -> str:
    """The markup of an element.

    In attribute names a trailing underscore is dropped (``class_``) and others become hyphens; values are escaped, and
    None and False left out. The content is markup already.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    head = " ".join(parts)
    return f"<{head}/>" if not content and name in _EMPTY else f"<{head}>{content}</{name}>"


_EMPTY = {"line", "circle", "rect", "polyline", "path", "use", "br", "meta", "polygon"}


def percent(value: float | None) -> str:
    """61.3 %"""
    return "—" if value is None else f"{100 * value:.1f}\u202f%"


def decimal(value: float | None) -> str:
    """0.613"""
    return "—" if value is None else f"{value:.3f}"


def points(difference: float) -> str:
    """+3.1 or −3.1 percentage points; 0.0 has no sign."""
    shown = f"{100 * difference:+.1f}".replace("-", "−")
    return "0.0" if shown[1:] == "0.0" else shown


def span_of(entry: Entry, shown: Any = percent) -> str:
    """The interval: 54.9–67.2 %; "" where there is none."""
    low, high = entry["low"], entry["high"]
    if low is None or high is None:
        return ""
    first = shown(low).removesuffix("\u202f%")
    return f"{first}–{shown(high)}"


def text_of(entry: Entry, shown: Any = percent) -> str:
    """61.3 % (54.9–67.2 %), for screen readers."""
    span = span_of(entry, shown)
    return f"{shown(entry['value'])} ({span})" if span else str(shown(entry["value"]))


def svg(width: float, height: float, content: str, label: str, class_: str = "") -> str:
    """A drawing, labelled for screen readers."""
    return tag(
        "svg",
        content,
        class_=class_ or None,
        width=width,
        height=height,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=label,
    )


def _text(x: float, y: float, content: str, class_: str = "", anchor: str = "start") -> str:
    return tag("text", escape(content), x=x, y=y, class_=class_ or None, text_anchor=anchor)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return tag("line", x1=round(x1, 1), y1=round(y1, 1), x2=round(x2, 1), y2=round(y2, 1), class_=class_)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def whisker(entry: Entry, chance: float | None = None, width: int = 180, class_: str = "", shown: Any = percent) -> str:
    """A dot with its interval on an axis from 0 to 1, and a dashed line at the chance level."""
    height, middle = 20, 10
    x = _axis(width)
    parts = [_line(x(tick), 0, x(tick), height, "grid") for tick in _TICKS]
    if chance is not None:
        parts.append(_line(x(chance), 0, x(chance), height, "chance"))
    low, high, value = entry["low"], entry["high"], entry["value"]
    if low is not None and high is not None:
        parts.append(_line(x(low), middle, max(x(high), x(low) + 0.5), middle, "whisker"))
    if value is not None:
        parts.append(tag("circle", cx=round(x(value), 1), cy=middle, r=4, class_="dot"))
    return svg(width, height, "".join(parts), text_of(entry, shown), f"whiskers {class_}".strip())


def whisker_axis(width: int = 180) -> str:
    """The axis above a column of whiskers."""
    x = _axis(width)
    texts = (_text(x(tick), 9, f"{100 * tick:.0f}", "tick", "middle") for tick in (0.0, 0.5, 1.0))
    return tag("svg", "".join(texts), class_="whiskers", width=width, height=11, aria_hidden="true")


def _axis(width: float) -> Callable[[float], float]:
    """From a share in [0, 1] to its place on a whisker's axis."""
    return lambda value: _PAD + min(max(value, 0.0), 1.0) * (width - 2 * _PAD)


def bar(entry: Entry, width: int = 104, shown: Any = percent) -> str:
    """A bar from 0 to the value with its interval."""
    height = 16
    value = entry["value"] or 0.0
    parts = [tag("rect", x=0, y=3, width=width, height=10, rx=2, class_="trough")]
    parts.append(tag("rect", x=0, y=3, width=round(value * width, 1), height=10, rx=2, class_="bar"))
    low, high = entry["low"], entry["high"]
    if low is not None and high is not None:
        parts.append(_line(low * width, 8, max(high * width, low * width + 0.5), 8, "over"))
        parts += [_line(end * width, 5, end * width, 11, "over") for end in (low, high)]
    return svg(width, height, "".join(parts), text_of(entry, shown), "bars")


def confusion(table: Sequence[Sequence[int]], labels: Sequence[str], compact: bool = False) -> str:
    """A confusion matrix as a heat map: rows are the truth, columns as predicted, shaded by the share of the row.

    compact: shares only.
    """
    head = "".join(tag("th", tag("span", escape(name)), scope="col") for name in labels)
    rows = [tag("tr", tag("th", "truth \\ predicted", class_="corner") + head + ("" if compact else tag("th", "all")))]
    for row, (name, counts) in enumerate(zip(labels, table, strict=True)):
        total = sum(counts)
        cells = [tag("th", escape(name), scope="row")]
        for column, count in enumerate(counts):
            share = 100 * count / total if total else 0.0
            shown = f"{share:.0f}" if compact else f"{count}" + tag("small", f"{share:.0f}\u202f%")
            classes = " ".join(
                word for word, wanted in (("hot", share > 82), ("hit", row == column), ("none", not count)) if wanted
            )
            cells.append(
                tag(
                    "td",
                    shown if count else "·",
                    class_=classes or None,
                    style=f"--p:{share:.0f}" if count else None,
                    title=f"{name} → {labels[column]}: {count} of {total}" if compact and count else None,
                )
            )
        rows.append(tag("tr", "".join(cells) + ("" if compact else tag("td", str(total), class_="all"))))
    return tag("table", "".join(rows), class_="confusion compact" if compact else "confusion")


def roc_grid(curves: Sequence[Any], areas: Sequence[Entry], names: Sequence[str], prefix: str = "roc") -> str:
    """A small ROC plot per label, with the other curves faint behind its own."""
    size, left, top = 150.0, 8.0, 8.0

    def along(curve: Sequence[Sequence[float]]) -> str:
        return _points([(left + x * (size - 16), top + (1 - y) * (size - 16)) for x, y in curve])

    plotted = [index for index, curve in enumerate(curves) if curve]
    shapes = "".join(tag("polyline", id=f"{prefix}{index}", points=along(curves[index])) for index in plotted)
    plots = [tag("svg", tag("defs", shapes), width=0, height=0, class_="defs", aria_hidden="true")]
    for index in plotted:
        frame = tag("rect", x=left, y=top, width=size - 16, height=size - 16, class_="frame")
        diagonal = _line(left, size - top, size - left, top, "chance")
        faint = "".join(
            tag("use", href=f"#{prefix}{neighbour}", class_="faint") for neighbour in plotted if neighbour != index
        )
        own = tag("use", href=f"#{prefix}{index}", class_="curve")
        label = f"ROC of {names[index]}: area {text_of(areas[index], decimal)}"
        caption = (
            tag("strong", escape(names[index]))
            + tag("span", decimal(areas[index]["value"]))
            + tag("small", span_of(areas[index], decimal))
        )
        plots.append(
            tag("figure", tag("figcaption", caption) + svg(size, size, frame + diagonal + faint + own, label, "roc"))
        )
    # Rows of equal length, rather than a single plot in the last.
    across = math.ceil(len(plotted) / math.ceil(len(plotted) / 6))
    return tag("div", "".join(plots), class_="grid-of-plots", style=f"max-width:{190 * across}px")


def reliability(diagram: Sequence[Mapping[str, Any]], label: str) -> str:
    """A reliability diagram: how often predictions are right by their confidence, and below, how many have it."""
    width, plot, left, top = 360.0, 260.0, 58.0, 10.0
    base, depth = top + plot, 46.0

    def x(value: float) -> float:
        return left + value * (width - left - 12)

    def y(value: float) -> float:
        return base - value * plot

    parts = []
    for tick in _TICKS:
        parts += [
            _line(x(0), y(tick), x(1), y(tick), "grid"),
            _text(left - 7, y(tick) + 4, f"{tick:g}", "tick", "end"),
            _text(x(tick), base + depth + 28, f"{tick:g}", "tick", "middle"),
        ]
    parts.append(_line(x(0), y(0), x(1), y(1), "chance"))
    total = sum(bin_["items"] for bin_ in diagram)
    most = max(bin_["items"] for bin_ in diagram)
    for bin_ in diagram:
        tall = max(1.0, (depth - 6) * bin_["items"] / most)
        parts.append(
            tag(
                "rect",
                tag("title", f"{bin_['items']} of {total} between {bin_['from']:g} and {bin_['to']:g}"),
                x=round(x(bin_["from"]) + 1.5, 1),
                y=round(base + depth + 10 - tall, 1),
                width=round(x(bin_["to"]) - x(bin_["from"]) - 3, 1),
                height=round(tall, 1),
                class_="amount",
            )
        )
        confidence, right = x(bin_["confidence"]), bin_["right"]
        if right["low"] is not None:
            parts.append(_line(confidence, y(right["low"]), confidence, y(right["high"]), "whisker"))
    line = _points([(x(bin_["confidence"]), y(bin_["right"]["value"])) for bin_ in diagram])
    parts.append(tag("polyline", points=line, class_="curve"))
    parts += [
        tag("circle", cx=x(bin_["confidence"]), cy=y(bin_["right"]["value"]), r=4, class_="dot") for bin_ in diagram
    ]
    parts.append(_text(x(0.5), base + depth + 46, "confidence", "name", "middle"))
    parts.append(
        tag(
            "text",
            "share right",
            x=0,
            y=0,
            class_="name",
            text_anchor="middle",
            transform=f"translate(11 {y(0.5):g}) rotate(-90)",
        )
    )
    return svg(width, base + depth + 52, "".join(parts), label, "plot")


def _levels(left: float, right: float, y: Callable[[float], float]) -> list[str]:
    """A horizontal line for each tick of a share, with its per cent on the left."""
    parts = []
    for tick in _TICKS:
        parts += [
            _line(left, y(tick), right, y(tick), "grid"),
            _text(left - 7, y(tick) + 4, f"{100 * tick:.0f}", "tick", "end"),
        ]
    return parts


def decline(lines: Mapping[str, Sequence[Entry]], ticks: Sequence[str], chance: float, label: str) -> str:
    """Figures from the clean sound on the left to the worst on the right, a line per kind, named at its end."""
    width, height, left, right, top, bottom = 460.0, 280.0, 40.0, 110.0, 12.0, 44.0

    def x(step: int) -> float:
        return left + step * (width - left - right) / max(1, len(ticks) - 1)

    def y(value: float) -> float:
        return top + (1 - value) * (height - top - bottom)

    parts = _levels(left, width - right, y)
    parts.append(_line(left, y(chance), width - right, y(chance), "chance"))
    parts += [_text(x(step), height - bottom + 18, tick, "tick", "middle") for step, tick in enumerate(ticks)]
    names: list[tuple[float, str, int]] = []
    for number, (name, entries) in enumerate(lines.items(), 1):
        shift = 3.0 * (number - 2)  # so that intervals of different lines stay apart
        known = [(x(step) + shift, entry) for step, entry in enumerate(entries) if entry["value"] is not None]
        for place, entry in known:
            if entry["low"] is not None and entry["high"] is not None:
                parts.append(_line(place, y(entry["low"]), place, y(entry["high"]), f"whisker s{number}"))
        points = [(place, y(float(entry["value"] or 0))) for place, entry in known]
        parts.append(tag("polyline", points=_points(points), class_=f"curve s{number}"))
        parts += [tag("circle", cx=a, cy=b, r=3.5, class_=f"dot s{number}") for a, b in points]
        if points:
            names.append((points[-1][1], name, number))
    names.append((y(chance), "chance", 0))
    placed = -math.inf
    for wanted, name, number in sorted(names):
        placed = max(wanted + 4, placed + 15)  # so that names do not overlap
        parts.append(_text(width - right + 12, placed, name, f"name s{number}" if number else "tick"))
    parts.append(
        _text((left + width - right) / 2, height - 6, "level of the sound over what is mixed in", "name", "middle")
    )
    return svg(width, height, "".join(parts), label, "plot")


def trade_off(families: Sequence[tuple[str, float, float]], chance: float, label: str) -> str:
    """Families (name, cost, value) by cost in milliseconds, logarithmic, and by figure.

    Those that none beats on both are joined by a line, and named where there is room.
    """
    width, height, left, right, top, bottom = 720.0, 330.0, 44.0, 24.0, 14.0, 46.0
    first = math.floor(math.log10(max(min(cost for _, cost, _ in families), 1e-4)))
    last = max(math.ceil(math.log10(max(cost for _, cost, _ in families))), first + 1)

    def x(cost: float) -> float:
        return left + (math.log10(max(cost, 1e-4)) - first) / (last - first) * (width - left - right)

    def y(value: float) -> float:
        return top + (1 - value) * (height - top - bottom)

    parts = _levels(left, width - right, y)
    for power in range(first, last + 1):
        parts += [
            _line(x(10**power), top, x(10**power), height - bottom, "grid"),
            _text(x(10**power), height - bottom + 17, f"{10.0**power:g}", "tick", "middle"),
        ]
    parts.append(_line(left, y(chance), width - right, y(chance), "chance"))
    best: list[tuple[str, float, float]] = []
    for point in sorted(families, key=lambda family: (family[1], -family[2])):
        if not best or point[2] > best[-1][2]:
            best.append(point)
    stairs = [(x(cost), y(value)) for _, cost, value in best]
    parts.append(tag("polyline", points=_points(stairs), class_="front"))
    for point in families:
        name, cost, value = point
        dot = tag("title", f"{escape(name)}: {percent(value)}, {cost:.3g} ms")
        parts.append(tag("circle", dot, cx=x(cost), cy=y(value), r=5, class_="dot" if point in best else "dot other"))
    taken = [(x(cost) - 6, y(value) - 6, x(cost) + 6, y(value) + 6) for _, cost, value in families]
    for name, cost, value in reversed(best):
        long = 7.2 * len(name)
        for right_of, down in ((True, -8), (False, -8), (True, 17), (False, 17)):
            start = x(cost) + 8 if right_of else x(cost) - 8 - long
            box = (start, y(value) + down - 10, start + long, y(value) + down + 3)
            clear = all(box[2] < a or c < box[0] or box[3] < b or d < box[1] for a, b, c, d in taken)
            if clear and left < start and start + long < width:
                taken.append(box)
                parts.append(_text(start, y(value) + down, name, "name"))
                break  # where it fits nowhere, the dot's tooltip still has it
    parts.append(_text((left + width - right) / 2, height - 6, "milliseconds per window", "name", "middle"))
    return svg(width, height, "".join(parts), label, "plot wide")


def dumbbell(honest: Entry, leaky: Entry, chance: float, width: int = 320) -> str:
    """A family without leakage (a filled dot) and with it (a hollow one), joined by a line."""
    x, height, middle = _axis(width), 30, 15
    parts = [_line(x(tick), 0, x(tick), height, "grid") for tick in _TICKS]
    parts.append(_line(x(chance), 0, x(chance), height, "chance"))
    a, b = x(honest["value"] or 0.0), x(leaky["value"] or 0.0)
    parts.append(_line(a, middle, b, middle, "between"))
    for entry, class_ in ((honest, "whisker"), (leaky, "whisker other")):
        if entry["low"] is not None and entry["high"] is not None:
            parts.append(_line(x(entry["low"]), middle, x(entry["high"]), middle, class_))
    parts.append(tag("circle", cx=round(a, 1), cy=middle, r=5, class_="dot"))
    parts.append(tag("circle", cx=round(b, 1), cy=middle, r=5, class_="hollow"))
    label = f"no group in common: {text_of(honest)}; random split: {text_of(leaky)}"
    return svg(width, height, "".join(parts), label, "whiskers")
