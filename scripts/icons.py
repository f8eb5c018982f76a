"""Render the installers' icons from resources/icons/app.svg, in every size and format that a system needs.

    .venv/bin/python scripts/icons.py      writes installers/icons/app-<size>.png, app.ico and app.icns

Windows' and macOS' formats are a table of contents followed by PNG files, so that no other program is needed.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QBuffer, QIODevice, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ROOT = Path(__file__).resolve().parents[1]
DRAWING = ROOT / "resources" / "icons" / "app.svg"
TARGET = ROOT / "installers" / "icons"

LINUX_SIZES = (16, 32, 64, 128, 256, 512)
WINDOWS_SIZES = (16, 32, 48, 64, 256)
# macOS names each size by four letters; those for double density are the same pictures under another name.
MACOS_SIZES = {
    b"ic04": 16,
    b"ic11": 32,
    b"ic05": 32,
    b"ic12": 64,
    b"ic07": 128,
    b"ic13": 256,
    b"ic08": 256,
    b"ic14": 512,
    b"ic09": 512,
    b"ic10": 1024,
}
_MACOS_MARGIN = 0.085
"""Share of the side that macOS' own icons leave empty on each side."""


def draw(size: int, margin: float = 0.0) -> bytes:
    """Render the drawing as a PNG of `size` × `size` pixels. margin: empty share of the side, on each side."""
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    inset = size * margin
    QSvgRenderer(str(DRAWING)).render(painter, QRectF(inset, inset, size - 2 * inset, size - 2 * inset))
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG", 0)  # type: ignore[call-overload]  # 0: the strongest compression
    return bytes(buffer.data().data())


def ico(pictures: dict[int, bytes]) -> bytes:
    """Encode an icon for Windows: a directory of {side in pixels: PNG}, then the pictures."""
    parts, entries, offset = [], [], 6 + 16 * len(pictures)
    for size, picture in pictures.items():
        side = size % 256  # 256 is written as 0
        entries.append(struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(picture), offset))
        parts.append(picture)
        offset += len(picture)
    return struct.pack("<HHH", 0, 1, len(pictures)) + b"".join(entries + parts)


def icns(pictures: dict[bytes, bytes]) -> bytes:
    """Encode an icon for macOS: each picture under its four letters."""
    body = b"".join(name + struct.pack(">I", 8 + len(picture)) + picture for name, picture in pictures.items())
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def main() -> int:
    app = QGuiApplication(sys.argv[:1])
    TARGET.mkdir(parents=True, exist_ok=True)
    for size in LINUX_SIZES:
        (TARGET / f"app-{size}.png").write_bytes(draw(size))
    (TARGET / "app.ico").write_bytes(ico({size: draw(size) for size in WINDOWS_SIZES}))
    (TARGET / "app.icns").write_bytes(icns({name: draw(size, _MACOS_MARGIN) for name, size in MACOS_SIZES.items()}))
    app.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
