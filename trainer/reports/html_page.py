"""The page that reports are written on: one self-contained file without any request, light and dark, printable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from trainer.reports.svg import Entry, percent, span_of, tag

PAGE, VALUES = "report.html", "report.json"
_STYLE_FILE, _SCRIPT_FILE = (Path(__file__).with_name(name) for name in ("report.css", "report.js"))


def page(title: str, lead: str, sections: Sequence[tuple[str, str, str]], footer: str) -> str:
    """A complete HTML document.

    lead: markup under the title. sections: identifier, heading ("" for none) and markup of each. footer: markup.
    """
    links = "".join(tag("a", escape(heading), href=f"#{name}") for name, heading, _ in sections if heading)
    body = "".join(
        tag("section", (tag("h2", escape(heading)) if heading else "") + content, id=name)
        for name, heading, content in sections
    )
    button = '<button class="theme" type="button" hidden>Dark colours</button>'
    contents = tag("nav", links, aria_label="Contents")
    top = tag("header", tag("div", tag("h1", escape(title)) + lead + contents) + button)
    style, script = (file.read_text(encoding="utf-8") for file in (_STYLE_FILE, _SCRIPT_FILE))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # An empty icon; without one, a browser would request it.
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{top}\n"
        f"<main>{body}</main>\n{tag('footer', footer)}\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


METHOD = (
    "Balanced accuracy is the mean of the labels' recalls, so that a common label counts no more than a rare one; "
    "macro-F1 is the mean of their F1 scores. Intervals are 95 %, by drawing whole groups (speakers, babies, "
    "recordings) with replacement, widened for few groups by Student's t; for two or three groups they are the range "
    "of the draws."
)
"""How figures and intervals are computed, for the reader of a report."""


def write_report(folder: Path, html: str, values: Mapping[str, Any]) -> Path:
    """Write a page and its values as JSON into a folder, made where needed; returns the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    (folder / VALUES).write_text(text + "\n", encoding="utf-8")
    (folder / PAGE).write_text(html, encoding="utf-8")
    return folder / PAGE


def footer(created: str) -> str:
    """The markup of a report's footer. created: when it was measured, as an ISO time; may be empty."""
    when = f"Measured {escape(created[:16].replace('T', ' '))}. " if created else ""
    return f"{when}Written by the trainer of Baby Monitor; the same values are in {tag('a', VALUES, href=VALUES)}."


def data_table(head: str, rows: Sequence[str], label: str, class_: str = "wide") -> str:
    """A table that scrolls sideways where it is too wide. head: cells of its head. rows: markup. label: its name."""
    table = tag("table", tag("thead", tag("tr", head)) + tag("tbody", "".join(rows)), class_=class_)
    return tag("div", table, class_="scroll", role="region", aria_label=label, tabindex=0)


def headings(*names: str) -> str:
    """Column headings; all but the first are of numbers."""
    return "".join(
        tag("th", escape(name), scope="col", class_="n" if column else None) for column, name in enumerate(names)
    )


def sortable(name: str, numeric: bool = True, up: bool = False, below: str = "", sorted_: bool = False) -> str:
    """A column heading to sort by. up: smallest first. below: markup under the name. sorted_: rows are sorted by it."""
    return tag(
        "th",
        tag("button", escape(name), type="button") + below,
        scope="col",
        class_="beside" if below else "n" if numeric else None,
        data_first="up" if up else None,
        aria_sort="descending" if sorted_ else None,
    )


def number_cell(shown: str, value: float | None = None) -> str:
    """A cell of a number as it is shown (markup). value: what the column is sorted by."""
    return tag("td", shown, class_="n", data_v=value)


def figure(entry: Entry, interval: bool = True) -> str:
    """A share in per cent, with its interval below it unless the plot beside it is enough."""
    below = tag("small", span_of(entry)) if interval else ""
    return tag("span", tag("b", percent(entry["value"])) + below, class_="figure")


def size_of(size: float | None) -> str:
    """Bytes as kB or MB."""
    if size is None:
        return "—"
    return f"{size / 1e6:,.1f}\u202fMB" if size >= 999_500 else f"{size / 1e3:.0f}\u202fkB"


def count_of(number: int | None) -> str:
    """A count as 1,234, 12k or 1.2M."""
    if number is None:
        return "—"
    if number >= 999_500:
        return f"{number / 1e6:.1f}\u202fM"
    return f"{number / 1e3:.0f}\u202fk" if number >= 10_000 else f"{number:,}"


def milliseconds(value: float | None) -> str:
    """Milliseconds with about three digits, without their unit."""
    if value is None:
        return "—"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(seconds: float | None) -> str:
    """Seconds as s, min or h."""
    if seconds is None:
        return "—"
    if seconds < 120:
        return f"{seconds:.0f}\u202fs" if seconds >= 10 else f"{seconds:.1f}\u202fs"
    return f"{seconds / 60:.0f}\u202fmin" if seconds < 7200 else f"{seconds / 3600:.1f}\u202fh"
