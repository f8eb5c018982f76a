"""The last ten seconds of sound as wave and mel spectrogram over one time axis, scrolling smoothly."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from babymonitor.core.model.features import FeatureSpec, LogMelStream, Mel, mel_filters
from babymonitor.core.sound.levels import envelope
from babymonitor.core.sound.ring import OverrunError, RingBuffer
from babymonitor.ui.parts.text_label import text_label
from babymonitor.ui.parts.theme import Theme, current_theme, follow_theme, heat_table

SHOWN_SECONDS = 10.0
_SPARE_SECONDS = 1.0
"""How much is stored beyond what is shown, because the picture runs a little behind the newest sound."""

_DARKEST, _BRIGHTEST = -13.0, 2.0
"""The log-mel values of the first and the last colour: a quiet room, and a cry close by."""

_LEAST_HEIGHT = 0.08
"""The wave's scale never shows less than this amplitude, because a silent room must not look loud."""


def pixels(mel: Mel) -> npt.NDArray[np.uint8]:
    """Return log-mel values as indices into the table of colours, of the same shape."""
    scaled = (mel - _DARKEST) * (255.0 / (_BRIGHTEST - _DARKEST))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


class LiveTrace:
    """The data of the plot: follows a ring by absolute sample number, with one column for each hop.

    Image and envelope are twice as wide as what is shown, and each column is written twice, one width apart. So the
    newest columns are always contiguous, and scrolling copies nothing.
    """

    def __init__(self, spec: FeatureSpec, seconds: float = SHOWN_SECONDS + _SPARE_SECONDS) -> None:
        self.spec = spec
        self.columns = int(seconds * spec.sample_rate / spec.hop_length)
        self._stream = LogMelStream(spec)
        self._image = np.zeros((spec.n_mels, 2 * self.columns), np.uint8)
        self._envelope = np.zeros((2 * self.columns, 2), np.float32)
        self._ring: RingBuffer | None = None
        self._next_sample = 0
        self.next_column = 0
        """The number of the column after the newest; column k begins at the ring's sample k · hop."""

    def follow(self, ring: RingBuffer) -> bool:
        """Take in what is new in the ring. Returns whether anything was."""
        hop = self.spec.hop_length
        if ring is not self._ring or ring.written < self._next_sample:
            self._ring = ring
            self._begin(ring)
        if ring.written - self._next_sample > self.columns * hop:
            # Nobody looked for a while, and what has scrolled away meanwhile is not worth computing.
            self._begin(ring)
        stop = ring.written - ring.written % hop
        if stop <= self._next_sample:
            return False
        try:
            wave = ring.read(self._next_sample, stop)
        except OverrunError:
            self._begin(ring)
            return False
        self._add(wave)
        self._next_sample = stop
        return True

    def _begin(self, ring: RingBuffer) -> None:
        """Forget everything and continue at the oldest sample that can be both read and shown."""
        hop = self.spec.hop_length
        oldest = max(ring.oldest + ring.capacity // 8 if ring.oldest else 0, ring.written - self.columns * hop)
        self.next_column = -(-oldest // hop)
        self._next_sample = self.next_column * hop
        self._stream.reset()
        self._image[:] = 0
        self._envelope[:] = 0.0

    def _add(self, wave: npt.NDArray[np.float32]) -> None:
        bins = wave.size // self.spec.hop_length
        first_bin = self._next_sample // self.spec.hop_length
        places = np.arange(first_bin, first_bin + bins) % self.columns
        self._envelope[places] = self._envelope[places + self.columns] = envelope(wave, bins)
        mel = pixels(self._stream.push(wave))
        places = np.arange(self.next_column, self.next_column + mel.shape[1]) % self.columns
        self._image[:, places] = self._image[:, places + self.columns] = mel
        self.next_column += mel.shape[1]

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """The newest columns, (n_mels, columns), the newest last."""
        begin = self.next_column % self.columns
        return self._image[:, begin : begin + self.columns]

    @property
    def next_bin(self) -> int:
        """The number of the envelope's bin after the newest; ahead of the columns, which need longer windows."""
        return self._next_sample // self.spec.hop_length

    @property
    def extremes(self) -> npt.NDArray[np.float32]:
        """The least and the greatest sample of each hop, (columns, 2), the newest last."""
        begin = self.next_bin % self.columns
        return self._envelope[begin : begin + self.columns]


class SteadyClock:
    """Tells which sample stands at the right edge of the picture.

    Sound comes in blocks, and a picture that followed them would jerk. This clock runs evenly, is pulled gently towards
    the newest sample, and never passes it.
    """

    _PULL = 0.06
    _LAG_SECONDS = 0.06
    _FURTHEST_SECONDS = 0.6

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._sample = 0.0
        self._read_at = 0.0

    def advance(self, now: float, written: int) -> float:
        """Return the sample for the right edge. now: seconds of a monotonic clock. written: samples in the ring."""
        elapsed, self._read_at = now - self._read_at, now
        target = written - self._LAG_SECONDS * self._rate
        if not 0 <= written - self._sample <= self._FURTHEST_SECONDS * self._rate or elapsed > 1.0:
            self._sample = max(0.0, target)
        else:
            self._sample += elapsed * self._rate + self._PULL * (target - self._sample)
            self._sample = min(self._sample, float(written))
        return self._sample


class HeatItem(pg.GraphicsObject):
    """A picture of numbers 0 to 255, in colours from a table.

    WORKAROUND pyqtgraph: its ImageItem hands Qt an indexed image, which Qt converts at every repaint, thirty times
    a second. That takes 1.5 ms, against 0.3 ms for colours that are looked up here.
    """

    def __init__(self) -> None:
        super().__init__()
        self._table: npt.NDArray[np.uint32] = np.zeros(256, np.uint32)
        self._colours = np.zeros((1, 1), np.uint32)
        self._box = QRectF()

    def set_table(self, table: npt.NDArray[np.uint8]) -> None:
        """Set the colours, (256, 4) RGBA; alpha is not used."""
        rgb = table.astype(np.uint32)
        self._table = np.asarray(0xFF000000 | rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2], np.uint32)
        self.update()

    def set_image(self, image: npt.NDArray[np.uint8], box: QRectF) -> None:
        """Show numbers, (rows, columns) with the lowest row first, in `box` of the axes."""
        self._colours = self._table[image]
        if box.size() != self._box.size() or box.topLeft() != self._box.topLeft():
            self.prepareGeometryChange()
            self._box = box
        self.update()

    def boundingRect(self) -> QRectF:
        return self._box

    def paint(self, painter: QPainter, *_: object) -> None:
        rows, columns = self._colours.shape
        image = QImage(self._colours.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
        painter.drawImage(self._box, image)


class LivePlot(pg.GraphicsLayoutWidget):
    """Wave above, spectrogram beneath, seconds below. Nothing moves by itself: `show_sound` draws what is new."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.frames_drawn = 0
        self.trace = LiveTrace(FeatureSpec())
        self._clock = SteadyClock(self.trace.spec.sample_rate)
        self._right_edge = -1.0
        self._height = _LEAST_HEIGHT
        self._word_px = 40.0
        self._build_items()
        self._note = text_label("", "plotNote", self)
        self._note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._note.hide()
        self.setAccessibleName(self.tr("Live sound"))
        self.setAccessibleDescription(self.tr("Waveform and mel spectrogram of the last ten seconds."))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        follow_theme(self._apply_theme)

    def _build_items(self) -> None:
        spec = self.trace.spec
        layout = self.ci.layout
        layout.setSpacing(4)
        self.ci.setContentsMargins(0, 0, 0, 0)
        self._wave_box = self._view_box((-1.0, 1.0))
        self._mel_box = self._view_box((0.0, float(spec.n_mels)))
        self._hz_axis = pg.AxisItem("left")
        self._hz_axis.linkToView(self._mel_box)
        self._hz_axis.setTicks([hz_ticks(spec)])
        self._hz_axis.setWidth(34)
        self._time_axis = pg.AxisItem("bottom")
        self._time_axis.linkToView(self._mel_box)
        for axis in (self._hz_axis, self._time_axis):
            axis.setStyle(tickLength=0, autoExpandTextSpace=False)
        self._time_axis.setHeight(20)
        self.ci.addItem(self._wave_box, 0, 1)
        self.ci.addItem(self._hz_axis, 1, 0)
        self.ci.addItem(self._mel_box, 1, 1)
        self.ci.addItem(self._time_axis, 2, 1)
        layout.setRowStretchFactor(0, 2)
        layout.setRowStretchFactor(1, 5)
        self._wave_item, self._mel_item = HeatItem(), HeatItem()
        self._wave_box.addItem(self._wave_item)
        self._mel_box.addItem(self._mel_item)

    def _view_box(self, y_range: tuple[float, float]) -> pg.ViewBox:
        box = pg.ViewBox(enableMenu=False, enableMouse=False, defaultPadding=0.0)
        box.disableAutoRange()
        box.setRange(xRange=(-SHOWN_SECONDS, 0.0), yRange=y_range, padding=0.0)
        box.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        return box

    @Slot()
    def _apply_theme(self) -> None:
        theme = current_theme()
        c = theme.colours
        self.setBackground(c.surface)
        self._mel_item.set_table(heat_table(theme))
        self._mel_box.setBackgroundColor(theme.heat[0])
        ground, ink = QColor(c.surface), QColor(c.accent)
        two = np.array([[ground.red(), ground.green(), ground.blue(), 255], [ink.red(), ink.green(), ink.blue(), 255]])
        self._wave_item.set_table(np.repeat(two, 128, axis=0).astype(np.uint8))
        font = style_axes(self._hz_axis, self._time_axis, theme, self.font())
        self._word_px = QFontMetricsF(font).horizontalAdvance("−10 s")
        self._name_seconds()

    def _name_seconds(self) -> None:
        """Name the seconds. The outermost names move inwards, because pyqtgraph omits names that cross an edge."""
        inside = (self._word_px / 2 + 3) / max(1.0, self._mel_box.width()) * SHOWN_SECONDS
        marks = []
        for seconds in range(0, int(SHOWN_SECONDS) + 1, 2):
            position = min(max(-seconds, -SHOWN_SECONDS + inside), -inside)
            marks.append((position, self.tr("now") if seconds == 0 else f"−{seconds} s"))
        self._time_axis.setTicks([marks])

    def set_note(self, text: str) -> None:
        """Show words over a faded picture that is not alive; empty for a picture that is."""
        self._note.setText(text)
        self._note.setVisible(bool(text))
        for item in (self._wave_item, self._mel_item):
            item.setOpacity(0.3 if text else 1.0)
        self._place_note()

    def show_sound(self, ring: RingBuffer) -> bool:
        """Draw what came into the ring since the last call. Returns whether there was anything to draw."""
        self.trace.follow(ring)
        right = self._clock.advance(time.perf_counter(), ring.written)
        if right == self._right_edge:
            return False
        self._right_edge = right
        self._draw_mel(right)
        self._draw_wave(right)
        return True

    def _draw_mel(self, right: float) -> None:
        spec, columns = self.trace.spec, self.trace.columns
        # A column stands at the middle of its window.
        middle = (spec.n_fft - spec.hop_length) / 2
        left = (self.trace.next_column - columns) * spec.hop_length + middle - right
        seconds = columns * spec.hop_length / spec.sample_rate
        box = QRectF(left / spec.sample_rate, 0.0, seconds, float(spec.n_mels))
        self._mel_item.set_image(self.trace.image, box)

    def _draw_wave(self, right: float) -> None:
        """Draw a column of pixels per hop, from its least to its greatest sample. A path takes four times as long."""
        spec, extremes = self.trace.spec, self.trace.extremes
        loudest = max(_LEAST_HEIGHT, float(np.abs(extremes).max(initial=0.0)))
        # The scale grows at once, so that no wave is cut off, and shrinks slowly, so that it does not pump.
        self._height = max(loudest, self._height + 0.04 * (loudest - self._height))
        rows = int(min(max(self._wave_box.height(), 32.0), 400.0))
        # Every column covers at least the middle, so that silence is a line and not nothing.
        low = np.minimum(extremes[:, 0] / self._height, -0.9 / rows)
        high = np.maximum(extremes[:, 1] / self._height, 0.9 / rows)
        amplitudes = ((np.arange(rows) + 0.5) / rows * 2.0 - 1.0).astype(np.float32)[:, None]
        image = ((amplitudes >= low) & (amplitudes <= high)).view(np.uint8) * np.uint8(255)
        left = (self.trace.next_bin - self.trace.columns) * spec.hop_length - right
        seconds = self.trace.columns * spec.hop_length / spec.sample_rate
        self._wave_item.set_image(image, QRectF(left / spec.sample_rate, -1.0, seconds, 2.0))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self.frames_drawn += 1

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        # WORKAROUND pyqtgraph: its constructor resizes the widget before ours has built anything.
        if hasattr(self, "_note"):
            self._place_note()
            self._name_seconds()

    def _place_note(self) -> None:
        self._note.adjustSize()
        self._note.move((self.width() - self._note.width()) // 2, (self.height() - self._note.height()) // 2)


def style_axes(hz_axis: pg.AxisItem, time_axis: pg.AxisItem, theme: Theme, font: QFont) -> QFont:
    """Give the axes of a spectrogram numbers without lines, in the theme's colours and size. Returns their font."""
    font.setPixelSize(max(11, theme.text_px - 3))
    for axis in (hz_axis, time_axis):
        axis.setPen(QPen(Qt.PenStyle.NoPen))
        axis.setTextPen(theme.colours.muted)
        axis.setTickPen(theme.colours.surface)  # a tick without length would still be drawn as a dot
        axis.setTickFont(font)
    time_axis.setHeight(theme.text_px + 6)
    hz_axis.setWidth(round(2.6 * theme.text_px))
    return font


def hz_ticks(spec: FeatureSpec) -> list[tuple[float, str]]:
    """Return rows of the spectrogram at round frequencies, with their names."""
    filters = mel_filters(spec)
    centres_hz = filters.argmax(axis=0) * spec.sample_rate / spec.n_fft
    round_hz = (500.0, 1000.0, 2000.0, 4000.0)
    return [(float(np.interp(hz, centres_hz, np.arange(spec.n_mels))) + 0.5, f"{hz / 1000:g}k") for hz in round_hz]
