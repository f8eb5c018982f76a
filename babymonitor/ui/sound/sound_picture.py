"""A complete sound as wave and mel spectrogram over one time axis, with a selection to drag and a playhead."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QWidget

from babymonitor.core.model.features import FeatureSpec, log_mel
from babymonitor.core.sound.levels import envelope
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.ui.parts.theme import current_theme, follow_theme, heat_table
from babymonitor.ui.sound.live_plot import hz_ticks, pixels, style_axes

LEAST_SPAN_SECONDS = 0.1
"""The shortest stretch that zooming in can show."""
LEAST_REGION_SECONDS = 0.02
_LEAST_HEIGHT = 0.02
"""The wave's scale never shows less than this amplitude, because a silent room must not look loud."""
_LOW_PX = 75
"""A spectrogram lower than this names only two frequencies."""
_BIN_SAMPLES = 32
"""The wave is also stored as least and greatest of so many samples: a minute is drawn from 30,000 pairs."""


class SoundPicture(pg.GraphicsLayoutWidget):
    """Wave above, spectrogram beneath, seconds below. It is drawn again only when something about it changed."""

    region_changed = Signal()
    """The selection changed, also while it is being dragged."""
    view_changed = Signal()
    """Another stretch of the sound is shown."""
    pointed = Signal(float)
    """The person clicked at this second of the sound."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec = FeatureSpec()
        self._wave: Wave = np.zeros(0, np.float32)
        self._extremes = np.zeros((0, 2), np.float32)
        self._mel = np.zeros((self._spec.n_mels, 0), np.uint8)
        self._region = (0.0, 0.0)
        self._view = (0.0, 1.0)
        self._is_setting_region = False
        self._build_items()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        follow_theme(self._apply_theme)

    def _build_items(self) -> None:
        layout = self.ci.layout
        layout.setSpacing(4)
        self.ci.setContentsMargins(0, 0, 0, 0)
        self._wave_box, self._mel_box = _SoundBox((-1.0, 1.0)), _SoundBox((0.0, float(self._spec.n_mels)))
        self._hz_axis = pg.AxisItem("left")
        self._hz_axis.linkToView(self._mel_box)
        self._ticks = hz_ticks(self._spec)
        self._time_axis = _SecondsAxis("bottom")
        self._time_axis.linkToView(self._mel_box)
        for axis in (self._hz_axis, self._time_axis):
            axis.setStyle(tickLength=0, autoExpandTextSpace=False)
        self.ci.addItem(self._wave_box, 0, 1)
        self.ci.addItem(self._hz_axis, 1, 0)
        self.ci.addItem(self._mel_box, 1, 1)
        self.ci.addItem(self._time_axis, 2, 1)
        layout.setRowStretchFactor(0, 3)
        layout.setRowStretchFactor(1, 5)
        self._wave_item, self._mel_item = _PictureItem(), _PictureItem()
        self._region_items: list[_RegionItem] = []
        self._heads: list[pg.InfiniteLine] = []
        for box, picture in ((self._wave_box, self._wave_item), (self._mel_box, self._mel_item)):
            box.addItem(picture, ignoreBounds=True)
            region = _RegionItem()
            region.sigRegionChanged.connect(self._on_region_dragged)
            box.addItem(region, ignoreBounds=True)
            self._region_items.append(region)
            head = pg.InfiniteLine(angle=90)
            head.setZValue(20)
            head.hide()
            box.addItem(head, ignoreBounds=True)
            self._heads.append(head)
            box.selected.connect(self._on_selected)
            box.pointed.connect(self.pointed)
            box.all_requested.connect(self.select_all)
            box.scrolled.connect(self._on_scrolled)

    @property
    def seconds(self) -> float:
        """The sound's length."""
        return self._wave.size / SAMPLE_RATE

    def set_wave(self, wave: Wave) -> None:
        """Show a sound from beginning to end, (samples,) at 16 kHz, and select all of it."""
        self._wave = wave
        bins = wave.size // _BIN_SAMPLES
        self._extremes = envelope(wave[: bins * _BIN_SAMPLES], bins) if bins else self._extremes[:0]
        # Even a sound shorter than one window gets a picture.
        padded = wave if wave.size >= self._spec.n_fft else np.pad(wave, (0, self._spec.n_fft - wave.size))
        self._mel = pixels(log_mel(padded, self._spec))
        self.set_playhead(None)
        self._show_region(0.0, self.seconds)
        self.fit()

    def region(self) -> tuple[float, float]:
        """Return the first and last second of the selection."""
        return self._region

    @property
    def is_whole(self) -> bool:
        """Whether all of the sound is selected, which is as good as nothing."""
        start, end = self._region
        return start <= 1e-6 and end >= self.seconds - 1e-6

    def set_region(self, start: float, end: float) -> None:
        """Select these seconds, as far as they lie in the sound."""
        start, end = sorted((min(max(start, 0.0), self.seconds), min(max(end, 0.0), self.seconds)))
        if end - start < LEAST_REGION_SECONDS:
            end = min(self.seconds, start + LEAST_REGION_SECONDS)
            start = max(0.0, end - LEAST_REGION_SECONDS)
        self._show_region(start, end)

    @Slot()
    def select_all(self) -> None:
        """Select all of the sound."""
        self._show_region(0.0, self.seconds)

    def _show_region(self, start: float, end: float) -> None:
        self._region = (start, end)
        is_whole = self.is_whole
        self._is_setting_region = True
        for item in self._region_items:
            item.setBounds((0.0, max(self.seconds, LEAST_REGION_SECONDS)))
            item.setRegion((start, end))
            item.show_whole(is_whole)
        self._is_setting_region = False
        self.region_changed.emit()

    @Slot(object)
    def _on_region_dragged(self, item: pg.LinearRegionItem) -> None:
        if not self._is_setting_region:
            start, end = item.getRegion()
            self.set_region(float(start), float(end))

    @Slot(float, float)
    def _on_selected(self, start: float, end: float) -> None:
        self.set_region(start, end)

    def view(self) -> tuple[float, float]:
        """Return the first and last second that are shown."""
        return self._view

    def set_view(self, start: float, end: float) -> None:
        """Show these seconds, as far as they lie in the sound."""
        length = max(self.seconds, LEAST_SPAN_SECONDS)
        span = min(max(end - start, LEAST_SPAN_SECONDS), length)
        start = min(max(start, 0.0), length - span)
        self._view = (start, start + span)
        for box in (self._wave_box, self._mel_box):
            box.setXRange(*self._view, padding=0.0)
        self._draw()
        self.view_changed.emit()

    def zoom(self, factor: float, centre: float | None = None) -> None:
        """Show `factor` times as many seconds. The second `centre` stays where it is (None: the middle)."""
        start, end = self._view
        centre = (start + end) / 2 if centre is None else centre
        self.set_view(centre + (start - centre) * factor, centre + (end - centre) * factor)

    @Slot()
    def fit(self) -> None:
        """Show all of the sound."""
        self.set_view(0.0, self.seconds)

    @Slot(float, float, float)
    def _on_scrolled(self, sideways: float, upwards: float, seconds: float) -> None:
        start, end = self._view
        if sideways:
            step = -sideways * 0.1 * (end - start)
            self.set_view(start + step, end + step)
        if upwards:
            self.zoom(0.8**upwards, seconds)

    def set_playhead(self, seconds: float | None) -> None:
        """Mark the second that is played now; None hides the mark."""
        for head in self._heads:
            head.setVisible(seconds is not None)
            if seconds is not None:
                head.setPos(seconds)

    @Slot()
    def _apply_theme(self) -> None:
        theme = current_theme()
        c = theme.colours
        self.setBackground(c.surface)
        self._mel_item.set_table(heat_table(theme))
        self._mel_box.setBackgroundColor(theme.heat[0])
        self._wave_item.set_table(_shades(c.surface, c.accent))
        for head in self._heads:
            head.setPen(QPen(QColor(c.cry), 0))
        for item in self._region_items:
            item.show_whole(self.is_whole)
        style_axes(self._hz_axis, self._time_axis, theme, self.font())
        self._draw()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        # WORKAROUND pyqtgraph: its constructor resizes the widget before ours has built anything.
        if hasattr(self, "_heads"):
            self._draw()

    def _draw(self) -> None:
        start, end = self._view
        width = max(16, min(4096, round(self._mel_box.width() * self.devicePixelRatioF())))
        # In a low picture the names of all frequencies would overlap.
        is_low = self._mel_box.height() < _LOW_PX
        self._hz_axis.setTicks([self._ticks[::3] if is_low else self._ticks])
        self._draw_wave(start, end, width)
        self._draw_mel(start, end, width)

    def _draw_wave(self, start: float, end: float, width: int) -> None:
        height = int(min(max(self._wave_box.height() * self.devicePixelRatioF(), 24.0), 600.0))
        box = QRectF(start, -1.0, end - start, 2.0)
        if self._wave.size == 0:
            self._wave_item.set_image(np.zeros((height, 1), np.uint8), box)
            return
        low, high = self._columns(start, end, width)
        loudest = max(_LEAST_HEIGHT, float(np.abs(self._extremes).max(initial=0.0))) * 1.05
        # At least half a pixel high, so that silence is a line and not nothing; shaded edges look smoother.
        pixel = 2.0 / height
        low, high = np.minimum(low / loudest, -0.45 * pixel), np.maximum(high / loudest, 0.45 * pixel)
        amplitudes = ((np.arange(height) + 0.5) * pixel - 1.0).astype(np.float32)[:, None]
        covered = np.minimum((high - amplitudes) / pixel, (amplitudes - low) / pixel) + np.float32(0.5)
        self._wave_item.set_image(np.asarray(np.clip(covered, 0.0, 1.0) * 255.0, np.uint8), box)

    def _columns(self, start: float, end: float, width: int) -> tuple[npt.NDArray[np.float32], ...]:
        """Return the least and the greatest sample of each column of pixels, (width,) each; 0 beyond the sound."""
        samples = (end - start) * SAMPLE_RATE
        if samples > 2 * _BIN_SAMPLES * width:
            source, size = self._extremes, _BIN_SAMPLES
        else:
            first, last = max(0, int(start * SAMPLE_RATE)), int(end * SAMPLE_RATE) + 2
            source, size = np.repeat(self._wave[first:last, None], 2, axis=1), 1
            start -= first / SAMPLE_RATE
            end -= first / SAMPLE_RATE
        if not len(source):
            return np.zeros(width, np.float32), np.zeros(width, np.float32)
        edges = np.linspace(start, end, width, endpoint=False) * (SAMPLE_RATE / size)
        starts = np.clip(edges.astype(np.int64), 0, len(source) - 1)
        low, high = np.minimum.reduceat(source[:, 0], starts), np.maximum.reduceat(source[:, 1], starts)
        # The last piece of reduceat extends to the end of the sound.
        stop = max(int(starts[-1]) + 1, int(end * SAMPLE_RATE / size))
        low[-1], high[-1] = source[starts[-1] : stop, 0].min(), source[starts[-1] : stop, 1].max()
        # Neighbouring columns overlap, so that a steep wave does not fall apart into dots.
        low[1:], high[1:] = np.minimum(low[1:], high[:-1]), np.maximum(high[1:], low[:-1])
        beyond = edges > self.seconds * SAMPLE_RATE / size
        low[beyond] = high[beyond] = 0.0
        return low, high

    def _draw_mel(self, start: float, end: float, width: int) -> None:
        spec, columns = self._spec, self._mel.shape[1]
        if columns == 0:
            self._mel_item.set_image(np.zeros((1, 1), np.uint8), QRectF(0, 0, 1, spec.n_mels))
            return
        # A column stands at the middle of its window.
        hop, lead = spec.hop_length / spec.sample_rate, (spec.n_fft - spec.hop_length) / 2 / spec.sample_rate
        first = min(max(int((start - lead) / hop) - 1, 0), columns - 1)
        last = min(max(int((end - lead) / hop) + 2, first + 1), columns)
        image = self._mel[:, first:last]
        seconds = (last - first) * hop
        if last - first > width:
            # Of columns that share a pixel the loudest is drawn, so that a short cry does not vanish.
            starts = np.arange(0, last - first, -(-(last - first) // width))
            image = np.maximum.reduceat(image, starts, axis=1)
            seconds = len(starts) * (starts[1] - starts[0]) * hop
        self._mel_item.set_image(image, QRectF(first * hop + lead, 0.0, seconds, float(spec.n_mels)))


class _SoundBox(pg.ViewBox):
    """Announces what the mouse does and moves nothing by itself."""

    selected = Signal(float, float)
    pointed = Signal(float)
    all_requested = Signal()
    scrolled = Signal(float, float, float)
    """Notches of the wheel sideways and upwards, and the second under the mouse."""

    def __init__(self, y_range: tuple[float, float]) -> None:
        super().__init__(enableMenu=False, enableMouse=False, defaultPadding=0.0)
        self.disableAutoRange()
        self.setRange(xRange=(0.0, 1.0), yRange=y_range, padding=0.0)

    def _seconds(self, position: Any) -> float:
        return float(self.mapToView(position).x())

    def mouseDragEvent(self, ev: Any, axis: object = None) -> None:
        if ev.button() != Qt.MouseButton.LeftButton:
            ev.ignore()
            return
        ev.accept()
        self.selected.emit(self._seconds(ev.buttonDownPos()), self._seconds(ev.pos()))

    def mouseClickEvent(self, ev: Any) -> None:
        if ev.button() != Qt.MouseButton.LeftButton:
            return
        ev.accept()
        if ev.double():
            self.all_requested.emit()
        else:
            self.pointed.emit(self._seconds(ev.pos()))

    def wheelEvent(self, ev: Any, axis: object = None) -> None:
        ev.accept()
        notches = ev.delta() / 120.0
        is_sideways = (
            ev.orientation() == Qt.Orientation.Horizontal or ev.modifiers() & Qt.KeyboardModifier.ShiftModifier
        )
        self.scrolled.emit(*((notches, 0.0) if is_sideways else (0.0, notches)), self._seconds(ev.pos()))


class _RegionItem(pg.LinearRegionItem):
    """The selection: its edges can always be dragged, its body only if it is a part of the sound."""

    def __init__(self) -> None:
        super().__init__(movable=True, swapMode="sort")
        self.setZValue(10)
        self._is_whole = True

    def show_whole(self, is_whole: bool) -> None:
        """Draw the selection in the theme's colours; one of the whole sound is not drawn."""
        self._is_whole = is_whole
        colours = current_theme().colours
        colour = QColor(colours.accent)
        for line in self.lines:
            line.setPen(QPen(colour, 0, Qt.PenStyle.NoPen if is_whole else Qt.PenStyle.SolidLine))
            line.setHoverPen(QPen(QColor(colours.text), 0))
        for alpha, use in ((0 if is_whole else 46, self.setBrush), (0 if is_whole else 70, self.setHoverBrush)):
            colour.setAlpha(alpha)
            use(colour)

    def mouseDragEvent(self, ev: Any) -> None:
        if self._is_whole:
            # A drag over a sound without a selection makes one.
            ev.ignore()
            return
        super().mouseDragEvent(ev)

    def hoverEvent(self, ev: Any) -> None:
        if not self._is_whole:
            super().hoverEvent(ev)


class _SecondsAxis(pg.AxisItem):
    """An axis of seconds: 0.5 s, 1 s, 1:20."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if spacing >= 1 and max(values, default=0.0) >= 60:
            return [f"{int(value) // 60}:{int(value) % 60:02d}" for value in values]
        places = 0 if spacing >= 1 else 1 if spacing >= 0.1 else 2
        return [f"{value:.{places}f} s" for value in values]


class _PictureItem(pg.GraphicsObject):
    """A picture of numbers 0 to 255 in colours from a table, scaled once rather than at every repaint."""

    def __init__(self) -> None:
        super().__init__()
        self._table: npt.NDArray[np.uint32] = np.zeros(256, np.uint32)
        self._image = np.zeros((1, 1), np.uint8)
        self._box = QRectF()
        self._scaled: QPixmap | None = None

    def set_table(self, table: npt.NDArray[np.uint8]) -> None:
        """Set the colours, (256, 4) RGBA; alpha is not used."""
        rgb = table.astype(np.uint32)
        self._table = np.asarray(0xFF000000 | rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2], np.uint32)
        self._scaled = None
        self.update()

    def set_image(self, image: npt.NDArray[np.uint8], box: QRectF) -> None:
        """Show numbers, (rows, columns) with the lowest row first, in `box` of the axes."""
        self._image = image
        if box != self._box:
            self.prepareGeometryChange()
            self._box = box
        self._scaled = None
        self.update()

    def boundingRect(self) -> QRectF:
        return self._box

    def paint(self, painter: QPainter, *_: object) -> None:
        box = painter.worldTransform().mapRect(self._box)
        ratio = painter.device().devicePixelRatioF()
        width, height = round(box.width() * ratio), round(box.height() * ratio)
        if width < 1 or height < 1:
            return
        if self._scaled is None or (self._scaled.width(), self._scaled.height()) != (width, height):
            # The axes count upwards, pixels count downwards.
            colours = np.ascontiguousarray(self._table[self._image[::-1]])
            rows, columns = colours.shape
            image = QImage(colours.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
            smooth = Qt.TransformationMode.SmoothTransformation
            image = image.scaled(width, height, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
            self._scaled = QPixmap.fromImage(image)
            self._scaled.setDevicePixelRatio(ratio)
        painter.save()
        painter.resetTransform()
        painter.drawPixmap(box.toRect().topLeft(), self._scaled)
        painter.restore()


def _shades(ground: str, ink: str) -> npt.NDArray[np.uint8]:
    """Return 256 colours from `ground` to `ink`, (256, 4) RGBA."""
    ends = [[colour.red(), colour.green(), colour.blue(), 255] for colour in (QColor(ground), QColor(ink))]
    shares = np.linspace(0.0, 1.0, 256)[:, None]
    return np.asarray(np.array(ends[0]) * (1 - shares) + np.array(ends[1]) * shares, np.uint8)
