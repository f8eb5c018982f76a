"""Every text can be read on everything it stands on, in every theme."""

from __future__ import annotations

import re

import pytest
from PySide6.QtCore import Qt

from babymonitor.core import paths
from babymonitor.core.labels import LABELS
from babymonitor.ui.parts.theme import (
    COLOUR_NAMES,
    THEMES,
    Theme,
    Tone,
    contrast,
    heat_table,
    resolve_theme,
    style_sheet,
)

each_theme = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@each_theme
def test_text_has_a_contrast_of_four_and_a_half(theme: Theme) -> None:
    c = theme.colours
    grounds = (c.window, c.surface, c.sunken)
    pairs = [(ink, ground) for ink in (c.text, c.muted, c.accent) for ground in grounds]
    pairs += [(c.text, c.hover), (c.accent, c.hover), (c.on_accent, c.accent)]
    pairs += [theme.tone(tone) for tone in Tone]
    too_low = {pair: round(contrast(*pair), 2) for pair in pairs if contrast(*pair) < 4.5}
    assert not too_low


@each_theme
def test_bars_and_wave_stand_out(theme: Theme) -> None:
    for name in LABELS:
        assert contrast(theme.label_colour(name), theme.colours.surface) >= 2.0
    assert contrast(theme.colours.accent, theme.colours.surface) >= 4.5


@each_theme
def test_the_state_line_can_be_read_from_two_metres(theme: Theme) -> None:
    assert theme.state_px >= (44 if theme.name == "night" else 32)


@each_theme
def test_the_style_sheet_is_whole(theme: Theme) -> None:
    sheet = style_sheet(theme)
    assert "$" not in sheet
    assert sheet.count("{") == sheet.count("}")
    used = set(re.findall(r"\$\{?(\w+)", paths.resource("style.qss").read_text(encoding="utf-8")))
    assert used <= {*COLOUR_NAMES, "text_px", "small_px", "large_px", "huge_px", "giant_px", "button_px"}


@each_theme
def test_the_spectrograms_colours_grow_steadily_apart_from_silence(theme: Theme) -> None:
    table = heat_table(theme)
    assert table.shape == (256, 4)
    luminance = table[:, :3] @ [0.2126, 0.7152, 0.0722]
    steps = luminance[1:] - luminance[:-1]
    assert (steps >= -0.5).all() if theme.is_dark else (steps <= 0.5).all()


def test_night_uses_no_blue_or_green_light() -> None:
    for name in COLOUR_NAMES:
        colour = getattr(THEMES["night"].colours, name)
        red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
        assert red >= green >= blue or max(green, blue) < 60 or red > 2 * max(green, blue)


def test_system_follows_the_desktop(qapp: object) -> None:
    from PySide6.QtGui import QGuiApplication

    is_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    assert resolve_theme("system").name == ("dark" if is_dark else "light")
    assert resolve_theme("night").name == "night"
