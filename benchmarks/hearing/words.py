"""Figures as text, the same on the page and on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer.reports.html_page import milliseconds, size_of
from trainer.reports.svg import decimal, percent, span_of


def number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def seconds(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}\u202fs"


def aim_status(met: bool | None) -> str:
    return "unknown" if met is None else "met" if met else "NOT met"


def figure_text(entry: Mapping[str, Any] | None, unit: str) -> tuple[str, str]:
    """A figure and, where there is one, its interval; "" else. unit: as in `figures.aims`."""
    if entry is None or entry["value"] is None:
        return "—", ""
    value = entry["value"]
    if unit in ("alarms", "conditions"):
        share = entry.get("share")
        return f"{value} of {entry['of']}", span_of(share) if share else ""
    if unit == "milliseconds":
        return f"{milliseconds(value)}\u202fms", ""
    if unit == "bytes":
        return size_of(value), ""
    shown = {"share": percent, "decimal": decimal, "seconds": seconds, "count": number, "ratio": number}[unit]
    return shown(value), span_of(entry, shown)


def figure_markup(row: Mapping[str, Any]) -> str:
    """Our figure in a row of the aims, as markup."""
    value, span = figure_text(row["ours"], row["unit"])
    return f"<b>{value}</b>" + (f" <small style='display:inline'>{span}</small>" if span else "")
