"""How the app looks: one small table of colours per theme, and everything that is made from it.

Palette, style sheet, the plot and every painted widget take their colours from a `Theme`; nothing else names a colour.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import Enum
from string import Template

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from babymonitor.core import paths
from babymonitor.core.labels import label


class Tone(Enum):
    """The mood of a state: it picks a background and a text colour, never the only difference between two states."""

    CALM = "calm"
    CRY = "cry"
    FAULT = "fault"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Colours:
    """One row of the table; RGB hex.

    window, surface, sunken: the page, a card on it, a field in a card. text, muted: on all three of them.
    accent, on_accent: the one colour of things to press. The four tones are pairs of background and text.
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
    """A whole look.

    text_px, state_px: the size of plain text, and the least size of the state line.
    heat: colours of the spectrogram from silence to loud. one_hue: every label is drawn in the text's colour
    (eyes that are used to the dark lose it to blue and green).
    """

    name: str
    colours: Colours
    text_px: int
    state_px: int
    is_dark: bool
    heat: tuple[str, ...]
    one_hue: bool = False

    def tone(self, tone: Tone) -> tuple[str, str]:
        """(background, text) of a tone."""
        c = self.colours
        return {
            Tone.CALM: (c.calm, c.calm_text),
            Tone.CRY: (c.cry, c.cry_text),
            Tone.FAULT: (c.fault, c.fault_text),
            Tone.IDLE: (c.idle, c.idle_text),
        }[tone]

    def label_colour(self, name: str) -> str:
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

THEMES = {theme.name: theme for theme in (LIGHT, DARK, NIGHT)}


def resolve_theme(name: str) -> Theme:
    """The theme of a setting's value; ``system`` asks the desktop whether it is dark."""
    if name in THEMES:
        return THEMES[name]
    is_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return DARK if is_dark else LIGHT


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours as WCAG 2 defines it: 1 (the same) to 21 (black on white)."""

    def luminance(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def heat_table(theme: Theme) -> npt.NDArray[np.uint8]:
    """256 colours for the spectrogram, (256, 4) RGBA."""
    stops = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in theme.heat], float)
    at = np.linspace(0, len(stops) - 1, 256)
    table = np.full((256, 4), 255, np.uint8)
    for channel in range(3):
        table[:, channel] = np.interp(at, np.arange(len(stops)), stops[:, channel]).round()
    return table


def palette(theme: Theme) -> QPalette:
    """Qt's own roles, for everything the style sheet leaves to the Fusion style."""
    c = theme.colours
    made = QPalette()
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
        made.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.muted))
    return made


def style_sheet(theme: Theme) -> str:
    """`resources/style.qss` with the theme's colours and sizes in place of its $names."""
    template = Template(paths.resource("style.qss").read_text(encoding="utf-8"))
    px = theme.text_px
    sizes = {
        "text_px": px,
        "small_px": px - 2,
        "large_px": px + 2,
        "huge_px": round(px * 1.75),
        "button_px": px * 3 + 4,
    }
    return template.substitute(asdict(theme.colours), **sizes)


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Dress the whole application. Fusion: the one style that follows a palette on every system."""
    if not app.styleSheet():  # afterwards the style hides behind the sheet, and is this one
        app.setStyle("Fusion")
    font = QFont(app.font())
    font.setPixelSize(theme.text_px)
    app.setFont(font)
    app.setPalette(palette(theme))
    app.setStyleSheet(style_sheet(theme))


COLOUR_NAMES = tuple(field.name for field in fields(Colours))
