"""Plots of several listeners in one frame, in the colours of `trainer.reports.html_page` (classes s1 to s3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from trainer.reports.svg import svg, tag

Points = Sequence[Sequence[float]]

_WIDTH, _HEIGHT = 470.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 14.0, 12.0, 46.0


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis. ticks: values with their texts. logarithmic: low must then be above zero."""

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    def place(self, start: float, end: float) -> Callable[[float], float]:
        """A function from a value to its place between start and end; values beyond low and high are drawn there."""
        scaled = math.log10 if self.logarithmic else float

        def position(value: float) -> float:
            inside = min(max(value, self.low), self.high)
            share = (scaled(inside) - scaled(self.low)) / (scaled(self.high) - scaled(self.low))
            return start + share * (end - start)

        return position


def curves(
    lines: Mapping[str, Points],
    across: Axis,
    up: Axis,
    label: str,
    dots: Mapping[str, Sequence[float]] | None = None,
    limits: tuple[float | None, float | None] = (None, None),
) -> str:
    """A plot as SVG: a line for each name, in order. dots: marked points (x, y) by name. limits: dashed, (x, y)."""
    x, y = across.place(_LEFT, _WIDTH - _RIGHT), up.place(_HEIGHT - _BOTTOM, _TOP)
    parts = []
    for value, shown in across.ticks:
        parts.append(_line(x(value), _TOP, x(value), _HEIGHT - _BOTTOM, "grid"))
        parts.append(_text(x(value), _HEIGHT - _BOTTOM + 17, shown, "tick", "middle"))
    for value, shown in up.ticks:
        parts.append(_line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid"))
        parts.append(_text(_LEFT - 7, y(value) + 4, shown, "tick", "end"))
    if limits[0] is not None:
        parts.append(_line(x(limits[0]), _TOP, x(limits[0]), _HEIGHT - _BOTTOM, "chance"))
    if limits[1] is not None:
        parts.append(_line(_LEFT, y(limits[1]), _WIDTH - _RIGHT, y(limits[1]), "chance"))
    for number, (name, points) in enumerate(lines.items(), 1):
        drawn = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        if drawn:
            parts.append(tag("polyline", points=drawn, class_=f"curve s{number}"))
        dot = (dots or {}).get(name)
        if dot is not None:
            title = tag("title", escape(f"{name}: {dot[0]:.3g}, {dot[1]:.3g}"))
            parts.append(
                tag("circle", title, cx=round(x(dot[0]), 1), cy=round(y(dot[1]), 1), r=5, class_=f"dot s{number}")
            )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(_text(middle, _HEIGHT - 6, across.title, "name", "middle"))
    turned = f"translate(11 {(_TOP + _HEIGHT - _BOTTOM) / 2:g}) rotate(-90)"
    parts.append(tag("text", escape(up.title), x=0, y=0, class_="name", text_anchor="middle", transform=turned))
    return svg(_WIDTH, _HEIGHT, "".join(parts), label, "plot")


def key(names: Sequence[str]) -> str:
    """The legend: which line is whose."""
    entries = ""
    for number, name in enumerate(names, 1):
        line = _line(0, 6, 26, 6, f"curve s{number}") + tag("circle", cx=13, cy=6, r=4, class_=f"dot s{number}")
        entries += tag("span", svg(26, 12, line, "") + escape(name), class_="key")
    return tag("p", entries)


def shares(title: str) -> Axis:
    """An axis of shares from 0 to 1, in per cent."""
    return Axis(title, 0.0, 1.0, [(tick / 4, f"{25 * tick}") for tick in range(5)])


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return tag("line", x1=round(x1, 1), y1=round(y1, 1), x2=round(x2, 1), y2=round(y2, 1), class_=class_)


def _text(x: float, y: float, content: str, class_: str, anchor: str) -> str:
    return tag("text", escape(content), x=round(x, 1), y=round(y, 1), class_=class_, text_anchor=anchor)
