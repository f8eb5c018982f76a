"""The report of many families on one or more data sets: what each reaches, what it costs, and what leakage is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from trainer.errors import DataError, counted
from trainer.reports import svg
from trainer.reports.html_page import (
    METHOD,
    count_of,
    data_table,
    duration,
    figure,
    footer,
    milliseconds,
    number_cell,
    page,
    size_of,
    sortable,
    written,
)
from trainer.reports.svg import Entry, decimal, percent, points, span_of, tag

_BEST = 3
"""Families whose confusion is shown."""


def write_comparison(folder: Path, comparisons: Sequence[Mapping[str, Any]], title: str = "Families compared") -> Path:
    """The report of many families on one or more data sets → the path of the page."""
    if not comparisons or not any(one["rows"] for one in comparisons):
        raise DataError("There is nothing to compare: no family was measured.")
    notes = _Notes()
    sections: list[tuple[str, str, str]] = [("short", "", _short(comparisons))]
    if len(comparisons) > 1:
        sections.append(("all", "All families, all data", _overview(comparisons, notes)))
    for at, one in enumerate(comparisons, 1):
        sections.append((f"data-{at}", one["title"], _of_data(one, notes)))
    leaks = "".join(_leakage(one) for one in comparisons)
    if leaks:
        sections.append(("leakage", "What leakage is worth", leaks))
    commands = "".join(tag("h3", escape(one["title"])) + tag("pre", escape(one["command"])) for one in comparisons)
    about = {row["family"]: row.get("about", "") for one in comparisons for row in one["rows"]}
    told = "".join(tag("dt", escape(name)) + tag("dd", escape(text)) for name, text in sorted(about.items()) if text)
    if told:
        sections.append(("families", "The families", tag("dl", told)))
    method = tag("p", METHOD) + notes.listed() + commands
    sections.append(("method", "How it was measured", method))
    lead = tag("p", f"{len(about)} families, {len(comparisons)} data set{'s' * (len(comparisons) > 1)}", class_="lead")
    created = max((str(one.get("created", "")) for one in comparisons), default="")
    values = {"title": title, "comparisons": list(comparisons)}
    return written(folder, page(title, lead, sections, footer(created)), values)


class _Notes:
    """Notes as footnotes, each text once."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> str:
        if not text:
            return ""
        if text not in self._texts:
            self._texts.append(text)
        number = self._texts.index(text) + 1
        return tag("sup", tag("a", str(number), href=f"#note-{number}", title=text, aria_label=f"note {number}"))

    def listed(self) -> str:
        notes = (tag("li", escape(text), id=f"note-{number}") for number, text in enumerate(self._texts, 1))
        return tag("h3", "Notes") + tag("ol", "".join(notes)) if self._texts else ""


def _grouped(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows whose sides share no group, best first."""
    rows = [row for row in one["rows"] if row["protocol"] == "grouped"]
    return sorted(rows, key=lambda row: -(_head_of(row)["value"] or 0))


def _head_of(row: Mapping[str, Any]) -> Entry:
    entry: Entry = _judged(row)["balanced_accuracy"]
    return entry


def _judged(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures that count: of whole clips, or of windows where clips hold several labels."""
    figures: Mapping[str, Any] = row[row.get("judged_by", "clips")]
    return figures


def _weak(entry: Entry, chance: float) -> bool:
    return entry["low"] is None or entry["low"] <= chance


def _short(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """What is to be remembered, a line or two for each data set."""
    items = []
    for one in comparisons:
        rows = _grouped(one)
        if not rows:
            continue
        best, chance = rows[0], one["chance"]
        told = (
            f"{tag('strong', escape(one['title']))}: {tag('strong', escape(best['family']))} is best with "
            f"{svg.text_of(_head_of(best))} balanced accuracy; guessing has {percent(chance)}."
        )
        low = _head_of(best)["low"]
        near = [row for row in rows[1:] if low is not None and (_head_of(row)["high"] or 0) >= low]
        if near:
            plural = "families have intervals that overlap" if len(near) > 1 else "family has an interval that overlaps"
            told += f" {len(near)} other {plural} with that"
            cheap = min(near, key=lambda row: row["milliseconds_per_window"])
            if cheap["milliseconds_per_window"] < best["milliseconds_per_window"]:
                told += (
                    f"; of them {tag('strong', escape(cheap['family']))} is the fastest "
                    f"({milliseconds(cheap['milliseconds_per_window'])} ms a window against "
                    f"{milliseconds(best['milliseconds_per_window'])})"
                )
            told += "."
        weak = [escape(row["family"]) for row in rows if _weak(_head_of(row), chance)]
        if weak:
            told += f" Not to be told from guessing: {', '.join(weak)}."
        items.append(tag("li", told))
    usual = svg.whisker({"value": 0.55, "low": 0.4, "high": 0.7}, 0.2, 110)
    weak_one = svg.whisker({"value": 0.22, "low": 0.1, "high": 0.35}, 0.2, 110, "weak")
    key = tag("span", usual + "value and 95 % interval; dashed: guessing", class_="key")
    key += tag("span", weak_one + "grey: not to be told from guessing", class_="key")
    return tag("div", tag("ul", "".join(items)), class_="short") + tag("p", key)


def _family_cell(row: Mapping[str, Any], marks: str) -> str:
    name = tag("span", escape(row["family"]), title=row.get("about") or None)
    return tag("th", name + marks, scope="row", class_="family", data_v=row["family"])


def _figure_cell(entry: Entry, chance: float, width: int, told: bool = False) -> str:
    """A figure and its plot. told: the interval in words too."""
    drawn = svg.whisker(entry, chance, width, "weak" if _weak(entry, chance) else "")
    return tag("td", figure(entry, told) + drawn, class_="v", data_v=entry["value"])


def _overview(comparisons: Sequence[Mapping[str, Any]], notes: _Notes) -> str:
    """One row a family, one column a data set, what it costs behind."""
    of_family: dict[str, list[Mapping[str, Any] | None]] = {}
    for at, one in enumerate(comparisons):
        for row in _grouped(one):
            of_family.setdefault(row["family"], [None] * len(comparisons))[at] = row

    def mean(rows: Sequence[Mapping[str, Any] | None]) -> float:
        values = [_head_of(row)["value"] or 0.0 for row in rows if row]
        return sum(values) / len(rows)

    width = 130 if len(comparisons) < 4 else 90
    body = []
    for rows in sorted(of_family.values(), key=mean, reverse=True):
        some = [row for row in rows if row]
        marks = "".join(dict.fromkeys(notes.mark(row["note"]) for row in some))
        cells = _family_cell(some[0], marks)
        for one, ran in zip(comparisons, rows, strict=True):
            cells += _figure_cell(_head_of(ran), one["chance"], width) if ran else tag("td", "not run", data_v="")
        cells += _cost_cells(some[0])
        body.append(tag("tr", cells))
    axis = svg.whisker_axis(width)
    head = sortable("family", numeric=False, up=True)
    head += "".join(sortable(one["title"], below=axis) for one in comparisons) + _cost_heads()
    text = "Balanced accuracy of whole clips of groups never met, in per cent. A click on a heading sorts."
    return tag("p", text, class_="note") + data_table(head, body, "All families on all data sets")


def _cost_heads() -> str:
    return "".join(sortable(name, up=True) for name in ("parameters", "file", "ms/window"))


def _cost_cells(row: Mapping[str, Any]) -> str:
    return (
        number_cell(count_of(row["parameters"]), row["parameters"])
        + number_cell(size_of(row["file_bytes"]), row["file_bytes"])
        + number_cell(milliseconds(row["milliseconds_per_window"]), row["milliseconds_per_window"])
    )


def _of_data(one: Mapping[str, Any], notes: _Notes) -> str:
    rows, chance = _grouped(one), one["chance"]
    if not rows:
        return tag("p", escape(one["protocol"])) + tag("p", "Nothing was measured without leakage here.", class_="note")
    body = []
    for at, row in enumerate(rows):
        figures, windows = _judged(row), row.get("windows")
        cells = _family_cell(row, notes.mark(row["note"])) + _figure_cell(_head_of(row), chance, 150, told=True)
        for entry in (figures["macro_f1"], figures["accuracy"]):
            cells += number_cell(percent(entry["value"]) + tag("small", span_of(entry)), entry["value"])
        error = figures["calibration_error"]["value"]
        cells += number_cell(decimal(error), error)
        by_window = windows["balanced_accuracy"]["value"] if windows else None
        cells += number_cell(percent(by_window), by_window)
        cells += _cost_cells(row) + number_cell(duration(row["train_seconds"]), row["train_seconds"])
        body.append(tag("tr", cells, class_="best" if at == 0 else None))
    axis = svg.whisker_axis(150)
    head = sortable("family", numeric=False, up=True) + sortable("balanced accuracy", below=axis, sorted_=True)
    head += sortable("macro-F1") + sortable("accuracy") + sortable("cal. error", up=True)
    head += sortable("one window") + _cost_heads() + sortable("training", up=True)
    for left in one.get("left_out", []):
        cells = tag("th", escape(left["family"]), scope="row", class_="family", data_v=left["family"])
        body.append(tag("tr", cells + tag("td", escape(left["why"]), colspan=9, class_="note")))
    figures = _judged(rows[0])
    what = f"{figures['items']} {rows[0].get('judged_by', 'clips')} of {counted(figures['groups'], 'group')}"
    size = f". {what}, {len(one['labels'])} labels: "
    parts = [tag("p", escape(one["protocol"] + size + ", ".join(one["labels"]) + "."))]
    parts.append(data_table(head, body, f"Families on {one['title']}"))
    points = [
        (row["family"], row["milliseconds_per_window"], _head_of(row)["value"] or 0.0)
        for row in rows
        if row["milliseconds_per_window"]
    ]
    if len(points) > 2:
        told = "Balanced accuracy for what a window costs. Named: what no other family beats on both."
        parts += [tag("h3", "Worth its time"), tag("p", told, class_="note")]
        parts.append(svg.trade_off(points, chance, f"Balanced accuracy and milliseconds a window on {one['title']}"))
    parts.append(tag("h3", "What the best take for what") + tag("p", "Per cent of the row.", class_="note"))
    plots = "".join(
        tag(
            "figure",
            tag("figcaption", tag("strong", escape(row["family"])) + tag("span", percent(_head_of(row)["value"])))
            + svg.confusion(_judged(row)["confusion"], _judged(row)["labels"], compact=True),
        )
        for row in rows[:_BEST]
    )
    parts.append(tag("div", plots, class_="grid-of-plots three"))
    return "".join(parts)


def _leakage(one: Mapping[str, Any]) -> str:
    """Families that were also measured on a split by clips, where a speaker stands on both sides."""
    honest = {row["family"]: row for row in _grouped(one)}
    leaky = [row for row in one["rows"] if row["protocol"] == "random split" and row["family"] in honest]
    if not leaky:
        return ""
    body = []
    for row in sorted(leaky, key=lambda row: -(_head_of(row)["value"] or 0)):
        fair, unfair = _head_of(honest[row["family"]]), _head_of(row)
        gained = (unfair["value"] or 0) - (fair["value"] or 0)
        cells = tag("th", escape(row["family"]), scope="row") + tag("td", svg.dumbbell(fair, unfair, one["chance"]))
        for entry in (fair, unfair):
            cells += number_cell(percent(entry["value"]) + tag("small", span_of(entry)))
        body.append(tag("tr", cells + number_cell(points(gained))))
    head = tag("th", "family", scope="col") + tag("th", svg.whisker_axis(320), scope="col")
    names = ("no group in common", "random split", "points")
    head += "".join(tag("th", name, scope="col", class_="n") for name in names)
    text = (
        f"{escape(one['title'])}: filled, the figure on speakers never met; hollow, the same family where clips were "
        "dealt out at random, so that every speaker of the test was trained on. The second is what is often published; "
        "at home it is worth nothing."
    )
    return tag("p", text, class_="note") + data_table(head, body, f"Leakage on {one['title']}", "")
