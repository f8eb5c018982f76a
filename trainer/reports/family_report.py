"""The report of several families on one or more data sets: what each reaches and costs, and how much leakage adds."""

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
    write_report,
)
from trainer.reports.svg import Entry, decimal, percent, points, span_of, tag

_BEST = 3
"""How many families' confusion matrices are shown."""


def write_comparison(folder: Path, comparisons: Sequence[Mapping[str, Any]], title: str = "Families compared") -> Path:
    """Write the report of families on one or more data sets; returns the path of the page.

    comparisons: as `trainer.training.compare_families` makes them. Raises DataError where no family was measured.
    """
    if not comparisons or not any(comparison["rows"] for comparison in comparisons):
        raise DataError("There is nothing to compare: no family was measured.")
    notes = _Notes()
    sections: list[tuple[str, str, str]] = [("short", "", _short(comparisons))]
    if len(comparisons) > 1:
        sections.append(("all", "All families, all data", _overview(comparisons, notes)))
    for number, comparison in enumerate(comparisons, 1):
        sections.append((f"data-{number}", comparison["title"], _of_data(comparison, notes)))
    leaks = "".join(_leakage(comparison) for comparison in comparisons)
    if leaks:
        sections.append(("leakage", "What leakage is worth", leaks))
    commands = "".join(
        tag("h3", escape(comparison["title"])) + tag("pre", escape(comparison["command"])) for comparison in comparisons
    )
    about = {row["family"]: row.get("about", "") for comparison in comparisons for row in comparison["rows"]}
    entries = "".join(tag("dt", escape(name)) + tag("dd", escape(text)) for name, text in sorted(about.items()) if text)
    if entries:
        sections.append(("families", "The families", tag("dl", entries)))
    method = tag("p", METHOD) + notes.listed() + commands
    sections.append(("method", "How it was measured", method))
    lead = tag("p", f"{len(about)} families, {len(comparisons)} data set{'s' * (len(comparisons) > 1)}", class_="lead")
    created = max((str(comparison.get("created", "")) for comparison in comparisons), default="")
    values = {"title": title, "comparisons": list(comparisons)}
    return write_report(folder, page(title, lead, sections, footer(created)), values)


class _Notes:
    """Footnotes, each text once."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> str:
        """The markup of a footnote mark; "" without a text."""
        if not text:
            return ""
        if text not in self._texts:
            self._texts.append(text)
        number = self._texts.index(text) + 1
        return tag("sup", tag("a", str(number), href=f"#note-{number}", title=text, aria_label=f"note {number}"))

    def listed(self) -> str:
        """The markup of all footnotes."""
        notes = (tag("li", escape(text), id=f"note-{number}") for number, text in enumerate(self._texts, 1))
        return tag("h3", "Notes") + tag("ol", "".join(notes)) if self._texts else ""


def _grouped(comparison: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows whose sides share no group, best first."""
    rows = [row for row in comparison["rows"] if row["protocol"] == "grouped"]
    return sorted(rows, key=lambda row: -(_headline(row)["value"] or 0))


def _headline(row: Mapping[str, Any]) -> Entry:
    entry: Entry = _judged(row)["balanced_accuracy"]
    return entry


def _judged(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures that count: over clips, or over windows where clips have several labels."""
    figures: Mapping[str, Any] = row[row.get("judged_by", "clips")]
    return figures


def _is_weak(entry: Entry, chance: float) -> bool:
    """Whether a figure cannot be told from guessing."""
    return entry["low"] is None or entry["low"] <= chance


def _short(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """The summary: a line or two for each data set."""
    items = []
    for comparison in comparisons:
        rows = _grouped(comparison)
        if not rows:
            continue
        best, chance = rows[0], comparison["chance"]
        text = (
            f"{tag('strong', escape(comparison['title']))}: {tag('strong', escape(best['family']))} is best with "
            f"{svg.text_of(_headline(best))} balanced accuracy; guessing has {percent(chance)}."
        )
        low = _headline(best)["low"]
        near = [row for row in rows[1:] if low is not None and (_headline(row)["high"] or 0) >= low]
        if near:
            plural = "families have intervals that overlap" if len(near) > 1 else "family has an interval that overlaps"
            text += f" {len(near)} other {plural} with that"
            cheap = min(near, key=lambda row: row["milliseconds_per_window"])
            if cheap["milliseconds_per_window"] < best["milliseconds_per_window"]:
                text += (
                    f"; of them {tag('strong', escape(cheap['family']))} is the fastest "
                    f"({milliseconds(cheap['milliseconds_per_window'])} ms a window against "
                    f"{milliseconds(best['milliseconds_per_window'])})"
                )
            text += "."
        weak = [escape(row["family"]) for row in rows if _is_weak(_headline(row), chance)]
        if weak:
            text += f" Not to be told from guessing: {', '.join(weak)}."
        items.append(tag("li", text))
    usual = svg.whisker({"value": 0.55, "low": 0.4, "high": 0.7}, 0.2, 110)
    weak_one = svg.whisker({"value": 0.22, "low": 0.1, "high": 0.35}, 0.2, 110, "weak")
    key = tag("span", usual + "value and 95 % interval; dashed: guessing", class_="key")
    key += tag("span", weak_one + "grey: not to be told from guessing", class_="key")
    return tag("div", tag("ul", "".join(items)), class_="short") + tag("p", key)


def _family_cell(row: Mapping[str, Any], marks: str) -> str:
    name = tag("span", escape(row["family"]), title=row.get("about") or None)
    return tag("th", name + marks, scope="row", class_="family", data_v=row["family"])


def _figure_cell(entry: Entry, chance: float, width: int, interval: bool = False) -> str:
    """A cell of a figure and its plot; with the interval as text too, where wanted."""
    drawn = svg.whisker(entry, chance, width, "weak" if _is_weak(entry, chance) else "")
    return tag("td", figure(entry, interval) + drawn, class_="v", data_v=entry["value"])


def _overview(comparisons: Sequence[Mapping[str, Any]], notes: _Notes) -> str:
    """A table with a row per family and a column per data set, then the costs."""
    of_family: dict[str, list[Mapping[str, Any] | None]] = {}
    for column, comparison in enumerate(comparisons):
        for row in _grouped(comparison):
            of_family.setdefault(row["family"], [None] * len(comparisons))[column] = row

    def mean(rows: Sequence[Mapping[str, Any] | None]) -> float:
        values = [_headline(row)["value"] or 0.0 for row in rows if row]
        return sum(values) / len(rows)

    width = 130 if len(comparisons) < 4 else 90
    body = []
    for rows in sorted(of_family.values(), key=mean, reverse=True):
        measured = [row for row in rows if row]
        marks = "".join(dict.fromkeys(notes.mark(row["note"]) for row in measured))
        cells = _family_cell(measured[0], marks)
        for comparison, entry in zip(comparisons, rows, strict=True):
            if entry is None:
                cells += tag("td", "not run", data_v="")
            else:
                cells += _figure_cell(_headline(entry), comparison["chance"], width)
        cells += _cost_cells(measured[0])
        body.append(tag("tr", cells))
    axis = svg.whisker_axis(width)
    head = sortable("family", numeric=False, up=True)
    head += "".join(sortable(comparison["title"], below=axis) for comparison in comparisons) + _cost_heads()
    text = "Balanced accuracy over clips of groups not learnt from, in per cent. Click a heading to sort."
    return tag("p", text, class_="note") + data_table(head, body, "All families on all data sets")


def _cost_heads() -> str:
    return "".join(sortable(name, up=True) for name in ("parameters", "file", "ms/window"))


def _cost_cells(row: Mapping[str, Any]) -> str:
    return (
        number_cell(count_of(row["parameters"]), row["parameters"])
        + number_cell(size_of(row["file_bytes"]), row["file_bytes"])
        + number_cell(milliseconds(row["milliseconds_per_window"]), row["milliseconds_per_window"])
    )


def _of_data(comparison: Mapping[str, Any], notes: _Notes) -> str:
    rows, chance = _grouped(comparison), comparison["chance"]
    if not rows:
        return tag("p", escape(comparison["protocol"])) + tag(
            "p", "Nothing was measured without leakage here.", class_="note"
        )
    body = []
    for rank, row in enumerate(rows):
        figures, windows = _judged(row), row.get("windows")
        cells = _family_cell(row, notes.mark(row["note"])) + _figure_cell(_headline(row), chance, 150, interval=True)
        for entry in (figures["macro_f1"], figures["accuracy"]):
            cells += number_cell(percent(entry["value"]) + tag("small", span_of(entry)), entry["value"])
        error = figures["calibration_error"]["value"]
        cells += number_cell(decimal(error), error)
        by_window = windows["balanced_accuracy"]["value"] if windows else None
        cells += number_cell(percent(by_window), by_window)
        cells += _cost_cells(row) + number_cell(duration(row["train_seconds"]), row["train_seconds"])
        body.append(tag("tr", cells, class_="best" if rank == 0 else None))
    axis = svg.whisker_axis(150)
    head = sortable("family", numeric=False, up=True) + sortable("balanced accuracy", below=axis, sorted_=True)
    head += sortable("macro-F1") + sortable("accuracy") + sortable("cal. error", up=True)
    head += sortable("one window") + _cost_heads() + sortable("training", up=True)
    for left in comparison.get("left_out", []):
        cells = tag("th", escape(left["family"]), scope="row", class_="family", data_v=left["family"])
        body.append(tag("tr", cells + tag("td", escape(left["why"]), colspan=9, class_="note")))
    figures = _judged(rows[0])
    judged = f"{figures['items']} {rows[0].get('judged_by', 'clips')} of {counted(figures['groups'], 'group')}"
    size = f". {judged}, {len(comparison['labels'])} labels: "
    parts = [tag("p", escape(comparison["protocol"] + size + ", ".join(comparison["labels"]) + "."))]
    parts.append(data_table(head, body, f"Families on {comparison['title']}"))
    points = [
        (row["family"], row["milliseconds_per_window"], _headline(row)["value"] or 0.0)
        for row in rows
        if row["milliseconds_per_window"]
    ]
    if len(points) > 2:
        note = "Balanced accuracy against the cost of a window. Named: families that no other beats on both."
        parts += [tag("h3", "Worth its time"), tag("p", note, class_="note")]
        parts.append(
            svg.trade_off(points, chance, f"Balanced accuracy and milliseconds per window on {comparison['title']}")
        )
    parts.append(tag("h3", "Confusions of the best") + tag("p", "Per cent of the row.", class_="note"))
    plots = "".join(
        tag(
            "figure",
            tag("figcaption", tag("strong", escape(row["family"])) + tag("span", percent(_headline(row)["value"])))
            + svg.confusion(_judged(row)["confusion"], _judged(row)["labels"], compact=True),
        )
        for row in rows[:_BEST]
    )
    parts.append(tag("div", plots, class_="grid-of-plots three"))
    return "".join(parts)


def _leakage(comparison: Mapping[str, Any]) -> str:
    """Families that were also measured on a split by clips, where a speaker is on both sides; "" where none was."""
    honest = {row["family"]: row for row in _grouped(comparison)}
    leaky = [row for row in comparison["rows"] if row["protocol"] == "random split" and row["family"] in honest]
    if not leaky:
        return ""
    body = []
    for row in sorted(leaky, key=lambda row: -(_headline(row)["value"] or 0)):
        fair, unfair = _headline(honest[row["family"]]), _headline(row)
        gained = (unfair["value"] or 0) - (fair["value"] or 0)
        cells = tag("th", escape(row["family"]), scope="row") + tag(
            "td", svg.dumbbell(fair, unfair, comparison["chance"])
        )
        for entry in (fair, unfair):
            cells += number_cell(percent(entry["value"]) + tag("small", span_of(entry)))
        body.append(tag("tr", cells + number_cell(points(gained))))
    head = tag("th", "family", scope="col") + tag("th", svg.whisker_axis(320), scope="col")
    names = ("no group in common", "random split", "points")
    head += "".join(tag("th", name, scope="col", class_="n") for name in names)
    text = (
        f"{escape(comparison['title'])}: filled, the figure on speakers not learnt from; hollow, the same family with "
        "clips divided at random, so that every test speaker was trained on. The second is what is often published; at "
        "home it is worth nothing."
    )
    return tag("p", text, class_="note") + data_table(head, body, f"Leakage on {comparison['title']}", "")
