"""The drawings in resources/icons: each can be drawn in any colour, and each is used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

import babymonitor.ui
from babymonitor.core import paths
from babymonitor.ui.parts.symbols import paint_symbol, symbol_icon

NAMES = sorted(path.stem for path in paths.resource("icons").glob("*.svg") if path.stem != "app")


@pytest.mark.parametrize("name", NAMES)
def test_a_symbol_is_drawn_in_the_colour_asked_for(qapp: object, name: str) -> None:
    image = QImage(48, 48, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    paint_symbol(painter, name, QRectF(0, 0, 48, 48), "#0c686c")
    painter.end()
    pixels = [image.pixelColor(x, y) for x in range(48) for y in range(48)]
    opaque = {pixel.name() for pixel in pixels if pixel.alpha() == 255}
    assert opaque == {QColor("#0c686c").name()}
    assert 0.02 < sum(pixel.alpha() for pixel in pixels) / 255 / 48**2 < 0.7


def test_an_icon_has_a_colour_of_its_own_while_it_is_checked(qapp: object) -> None:
    icon = symbol_icon("play", "#ff0000", "#0000ff", size=24)
    colours = []
    for state in (icon.State.Off, icon.State.On):
        colours.append(icon.pixmap(24, 24, icon.Mode.Normal, state).toImage().pixelColor(12, 12).name())
    assert colours == ["#ff0000", "#0000ff"]


def test_no_drawing_is_left_over() -> None:
    used = set()
    for path in Path(babymonitor.ui.__path__[0]).rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        used |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert set(NAMES) <= used
