"""How the app looks: one small table of colours per theme, and everything that is made from it.

Palette, style sheet, plots and painted widgets take their colours from a `Theme`; nothing else names a colour. One
theme is in force for the whole application: `apply_theme` changes it, a widget that paints asks for `current_theme`
while it paints, and a widget that has icons or fixed sizes to renew hands the method that does so to `follow_theme`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import Enum
from functools import cache
from string import Template

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from babymonitor.core import paths
from babymonitor.core.labels import label


class Tone(Enum):
    """The mood of a state: it picks background and text colour, which are never all that tells two states apart."""

    CALM = "calm"
    CRY = "cry"
    FAULT = "fault"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of one theme, as RGB in hexadecimal.

    window, surface, sunken: the page, a card on it, a field in a card. text, muted: text on any of these three.
    accent, on_accent: the colour of things to press, and of text on it. The four tones are pairs of background and
    text.
    """

    window: str
    surface: str
    sunken: str
    hover: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    calm: str
    calm_text: str
    cry: str
    cry_text: str
    fault: str
    fault_text: str
    idle: str
    idle_text: str


@dataclass(frozen=True, slots=True)
class Theme:
    """A complete look.

    text_px, state_px: the size of plain text, and the smallest size of the state line. heat: the spectrogram's colours
    from silent to loud. one_hue: draw every label in the text's colour, because blue and green light ruin eyes that are
    used to the dark.
    """

    name: str
    colours: Colours
    text_px: int
    state_px: int
    is_dark: bool
    heat: tuple[str, ...]
    one_hue: bool = False

    def tone(self, tone: Tone) -> tuple[str, str]:
        """Return the colours of a tone: background, text."""
        c = self.colours
        return {
            Tone.CALM: (c.calm, c.calm_text),
            Tone.CRY: (c.cry, c.cry_text),
            Tone.FAULT: (c.fault, c.fault_text),
            Tone.IDLE: (c.idle, c.idle_text),
        }[tone]

    def label_colour(self, name: str) -> str:
        """Return the colour that a label is drawn in."""
        return self.colours.text if self.one_hue else label(name).colour


LIGHT = Theme(
    "light",
    Colours(
        window="#f3f1ec",
        surface="#fdfcfa",
        sunken="#eae7e0",
        hover="#e2ded5",
        line="#d9d4c9",
        text="#20282b",
        muted="#566066",
        accent="#0c686c",
        on_accent="#ffffff",
        calm="#d9ece8",
        calm_text="#0a4a4d",
        cry="#bf3414",
        cry_text="#ffffff",
        fault="#ffc637",
        fault_text="#1f1600",
        idle="#e3dfd7",
        idle_text="#3a4449",
    ),
    text_px=14,
    state_px=34,
    is_dark=False,
    heat=("#fdfcfa", "#d3e7e2", "#7fbdb9", "#2b8489", "#114a5e", "#0c1f3a"),
)

DARK = Theme(
    "dark",
    Colours(
        window="#13171a",
        surface="#1b2125",
        sunken="#101416",
        hover="#2a3339",
        line="#2d363c",
        text="#e6ebed",
        muted="#9daab1",
        accent="#63cbbf",
        on_accent="#04211e",
        calm="#16312f",
        calm_text="#a2e9df",
        cry="#ff7350",
        cry_text="#230800",
        fault="#ffc637",
        fault_text="#1f1600",
        idle="#262e33",
        idle_text="#d0d8dc",
    ),
    text_px=14,
    state_px=34,
    is_dark=True,
    heat=("#101416", "#12343c", "#17646c", "#2fa398", "#a3dfae", "#fdf6cf"),
)

NIGHT = Theme(
    "night",
    Colours(
        window="#060101",
        surface="#100404",
        sunken="#0a0202",
        hover="#1e0704",
        line="#38120d",
        text="#f2654f",
        muted="#cb5341",
        accent="#e04b33",
        on_accent="#100000",
        calm="#150504",
        calm_text="#f2654f",
        cry="#ff4529",
        cry_text="#120000",
        fault="#ff8a2b",
        fault_text="#150400",
        idle="#100404",
        idle_text="#cb5341",
    ),
    text_px=16,
    state_px=46,
    is_dark=True,
    heat=("#0a0202", "#2a0705", "#5e120b", "#a32414", "#e8492f", "#ffb08f"),
    one_hue=True,
)

_HOVER_ALPHA = 32
"""How much of its text's colour a button in a tone takes on under the mouse, of 255."""

THEMES = {theme.name: theme for theme in (LIGHT, DARK, NIGHT)}


class _ThemeSignal(QObject):
    changed = Signal()


@cache
def _theme_signal() -> _ThemeSignal:
    return _ThemeSignal()


_theme = LIGHT


def current_theme() -> Theme:
    """Return the theme in force."""
    return _theme


def follow_theme(apply: Callable[[], None]) -> None:
    """Call an object's method now, and again after each change of the theme for as long as the object lives.

    By a signal rather than `changeEvent`: models follow the theme, too, and a `StyleChange` also comes to every child
    of a panel that is given a style sheet of its own.
    """
    _theme_signal().changed.connect(apply)
    apply()


def resolve_theme(name: str) -> Theme:
    """Return the theme that a setting's value stands for; "system" asks the desktop whether it is dark."""
    if name in THEMES:
        return THEMES[name]
    is_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return DARK if is_dark else LIGHT


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours as defined by WCAG 2: 1 (the same) to 21 (black on white)."""

    def luminance(colour: str) -> float:
        parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def heat_table(theme: Theme) -> npt.NDArray[np.uint8]:
    """Return the colours of the spectrogram from silent to loud, (256, 4) RGBA."""
    stops = np.array([[int(colour[start : start + 2], 16) for start in (1, 3, 5)] for colour in theme.heat], float)
    positions = np.linspace(0, len(stops) - 1, 256)
    table = np.full((256, 4), 255, np.uint8)
    for channel in range(3):
        table[:, channel] = np.interp(positions, np.arange(len(stops)), stops[:, channel]).round()
    return table


def _palette(theme: Theme) -> QPalette:
    """Return Qt's colour roles, for everything that the style sheet leaves to the Fusion style."""
    c = theme.colours
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: c.window,
        QPalette.ColorRole.WindowText: c.text,
        QPalette.ColorRole.Base: c.sunken,
        QPalette.ColorRole.AlternateBase: c.sunken,
        QPalette.ColorRole.Text: c.text,
        QPalette.ColorRole.PlaceholderText: c.muted,
        QPalette.ColorRole.Button: c.surface,
        QPalette.ColorRole.ButtonText: c.text,
        QPalette.ColorRole.BrightText: c.cry,
        QPalette.ColorRole.ToolTipBase: c.surface,
        QPalette.ColorRole.ToolTipText: c.text,
        QPalette.ColorRole.Highlight: c.accent,
        QPalette.ColorRole.HighlightedText: c.on_accent,
        QPalette.ColorRole.Link: c.accent,
        QPalette.ColorRole.Light: c.hover,
        QPalette.ColorRole.Midlight: c.hover,
        QPalette.ColorRole.Mid: c.line,
        QPalette.ColorRole.Dark: c.line,
        QPalette.ColorRole.Shadow: c.window,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.muted))
    return palette


def style_sheet(theme: Theme) -> str:
    """Return `resources/style.qss` with the theme's colours and sizes in place of its $names."""
    template = Template(paths.resource("style.qss").read_text(encoding="utf-8"))
    px = theme.text_px
    sizes = {
        "text_px": px,
        "small_px": px - 2,
        "large_px": px + 2,
        "huge_px": round(px * 1.75),
        "giant_px": px * 6,
        "button_px": px * 3 + 4,
    }
    return template.substitute(asdict(theme.colours), **sizes)


def tone_sheet(theme: Theme, tone: Tone) -> str:
    """Return `resources/tone.qss`, the style sheet of a panel in a tone, with its $names filled in."""
    background, text = theme.tone(tone)
    hover = QColor(text)
    hover.setAlpha(_HOVER_ALPHA)
    return _tone_template().substitute(
        background=background,
        text=text,
        hover=f"rgba({hover.red()}, {hover.green()}, {hover.blue()}, {hover.alpha()})",
        verdict_px=round(theme.text_px * 1.5),
    )


@cache
def _tone_template() -> Template:
    return Template(paths.resource("tone.qss").read_text(encoding="utf-8"))


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget another role of the style sheet, and have it drawn accordingly."""
    set_style_property(widget, "role", role)


def set_style_property(widget: QWidget, name: str, value: object) -> None:
    """Change a property that the style sheet asks for, and have the widget drawn accordingly."""
    widget.setProperty(name, value)
    # Qt looks at such properties only when it polishes a widget.
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Put a theme in force. Fusion is the only style that follows a palette on every system."""
    global _theme
    _theme = theme
    if not app.styleSheet():  # once there is a sheet, the style is Fusion already
        app.setStyle("Fusion")
    font = QFont(app.font())
    font.setPixelSize(theme.text_px)
    app.setFont(font)
    app.setPalette(_palette(theme))
    app.setStyleSheet(style_sheet(theme))
    _theme_signal().changed.emit()


COLOUR_NAMES = tuple(field.name for field in fields(Colours))
