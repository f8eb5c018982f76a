"""Figures in words, the same on the page and on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer.reports.html_page import milliseconds, size_of
from trainer.reports.svg import decimal, percent, span_of


def number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def seconds(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}\u202fs"


def verdict(met: bool | None) -> str:
    return "cannot be told" if met is None else "met" if met else "NOT met"


def told(entry: Mapping[str, Any] | None, unit: str) -> tuple[str, str]:
    """A figure and, where there is one, its interval."""
    if entry is None or entry["value"] is None:
        return "—", ""
    value = entry["value"]
    if unit in ("alarms", "conditions"):
        of = f"{value} of {entry['of']}"
        share = entry.get("share")
        return of, span_of(share) if share else ""
    say = {"share": percent, "decimal": decimal, "seconds": seconds, "count": number, "ratio": number}.get(unit)
    if say is None:
        return (f"{milliseconds(value)}\u202fms" if unit == "milliseconds" else size_of(value)), ""
    return say(value), span_of(entry, say)


def shown(row: Mapping[str, Any]) -> str:
    """What one aim's row says of ours, as markup."""
    value, span = told(row["ours"], row["unit"])
    return f"<b>{value}</b>" + (f" <small style='display:inline'>{span}</small>" if span else "")
