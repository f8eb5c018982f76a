"""The night composer: beds of sound with cries laid in at known samples, at known loudness.

A night has one background. Its sound comes from the clips of one side of the split as far as there are any of its kind,
otherwise from synthetic sounds; its cries are of that side alone. Each episode is of one baby, near the microphone or
across the room. The night is divided into as many shares as it has episodes, and each share is heard by one of the
devices, at a volume of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio import synthetic
from trainer.audio.augment import room_response
from trainer.errors import DataError
from trainer.evaluation.night_stock import Background, Stock, audible_part, loudness

EPISODES_PER_HOUR = 12.0
SNRS_DB = (20.0, 10.0, 0.0)
VOLUME_DB = (-12.0, 6.0)
"""The range of volumes, drawn anew for each share of a night, relative to the background's own level."""

_ROOM_TONE_DB = -66.0
_SYNTHETIC_WEIGHT = 10
"""Synthetic sounds weigh as much as so many real groups: the more real ones there are, the fewer are synthetic."""
_BANK = 24
"""How many synthetic sounds a night has to draw from."""
_SYNTHETIC_SECONDS = 10.0
_CHANGE = SAMPLE_RATE // 2
"""Half of the time, in samples, in which the volume changes between two shares."""
_BLOCK = 1 << 16
_FADE = 320
_LEAST_CRYING, _LONGEST_EPISODE = 3.0, 20.0
_MARGIN_SECONDS = 20.0
"""Between an episode and either end of its share of the night, so that no episode affects the next."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the night is heard through: a band-pass of 24 dB per octave; None for no limit on that side."""

    name: str
    low_hz: float | None = None
    high_hz: float | None = None

    def sections(self) -> npt.NDArray[np.float64]:
        """Its filter as second-order sections (sections, 6); none for a device without limits."""
        parts = [
            signal.butter(4, hz, kind, fs=SAMPLE_RATE, output="sos")
            for hz, kind in ((self.low_hz, "highpass"), (self.high_hz, "lowpass"))
            if hz is not None
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 6))


DEVICES = (Device("studio"), Device("laptop", 120.0, 7000.0), Device("phone", 250.0, 3700.0))
"""An odd number, so that each hears both near and far: devices and distances take turns."""


@dataclass(frozen=True, slots=True)
class CryEpisode:
    """One baby cries from sample `onset` to `end`, its loud parts `snr_db` above the background's before any device.

    far: across the room. Reflections from the walls are then as loud as the direct sound, or up to 6 dB louder.
    """

    onset: int
    end: int
    group: str
    snr_db: float
    far: bool = False
    device: str = "studio"


class ComposedNight:
    """One background with its episodes; the same for the same seed, whatever other nights are composed.

    episodes: the truth, known before anything is played. played: at which sample which sound of the background began,
    as far as `blocks` were taken. per_hour: episodes. Raises DataError where the episodes do not fit into the hours.
    """

    def __init__(
        self,
        background: Background,
        stock: Stock,
        hours: float,
        seed: int,
        snrs_db: Sequence[float] = SNRS_DB,
        per_hour: float = EPISODES_PER_HOUR,
        devices: Sequence[Device] = DEVICES,
        volume_db: tuple[float, float] = VOLUME_DB,
    ) -> None:
        self.background, self.samples = background, round(hours * 3600 * SAMPLE_RATE)
        self.devices, self.volume_db = devices, volume_db
        self._shares = max(1, round(self.samples / SAMPLE_RATE / 3600 * per_hour))
        self._stock = stock
        self._pieces = stock.beds.get(background.name, [])
        self._key = [seed, zlib.crc32(background.name.encode())]
        self._snrs = [snr + background.nearer_db for snr in snrs_db]
        self._bank: dict[int, Wave] = {}
        self.played: list[tuple[int, str]] = []
        self._babies: list[int] = []
        self.episodes = self._plan_episodes() if stock.cries else ()

    @property
    def possible(self) -> bool:
        """Whether there is any sound of this background."""
        return bool(self._pieces or self.background.synthetic_sounds)

    @property
    def clips(self) -> int:
        """How many real clips the background has."""
        return len({piece.path for group in self._pieces for piece in group})

    def _device(self, share: int) -> int:
        """The index of the device that hears a share of the night; with each device, every SNR takes its turn."""
        return share // len(self._snrs) % len(self.devices)

    def _is_far(self, share: int) -> bool:
        return share // len(self._snrs) % 2 == 1

    def _plan_episodes(self) -> tuple[CryEpisode, ...]:
        """One episode at a random time in each share of the night."""
        rng = np.random.default_rng([*self._key, 1])
        count = self._shares
        share, margin = self.samples // count, int(_MARGIN_SECONDS * SAMPLE_RATE)
        order: list[int] = []
        episodes = []
        for number in range(count):
            # Every baby has a turn before any has a second one.
            order = order or [int(baby) for baby in rng.permutation(len(self._stock.cries))]
            snr_db = self._snrs[number % len(self._snrs)]
            baby = order.pop()
            length = self._cry(number, baby).size
            room = share - length - 2 * margin
            if room < 0:
                raise DataError(
                    f"{count} episodes do not fit into {self.samples / SAMPLE_RATE / 60:.0f} minutes: each needs a "
                    f"minute; give more hours or fewer episodes."
                )
            onset = number * share + margin + int(rng.integers(room + 1))
            device, group = self.devices[self._device(number)].name, self._stock.cries[baby][0].group
            episodes.append(CryEpisode(onset, onset + length, group, snr_db, self._is_far(number), device))
            self._babies.append(baby)
        return tuple(episodes)

    def _cry(self, number: int, baby: int) -> Wave:
        """The cries of an episode, (samples,): of one baby, with pauses for breath, at a loudness of 1."""
        rng = np.random.default_rng([*self._key, 2, number])
        pieces = self._stock.cries[baby]
        length = int(rng.uniform(_LEAST_CRYING + 1, _LONGEST_EPISODE) * SAMPLE_RATE)
        parts: list[Wave] = []
        total, crying = 0, 0
        ramp = np.linspace(0, 1, 81, dtype=np.float32)[1:]
        while crying < _LEAST_CRYING * SAMPLE_RATE or total < length:
            for index in rng.permutation(len(pieces)):
                cry = audible_part(self._stock.waves, pieces[index]).copy()
                cry[:80] *= ramp[: cry.size]
                cry[-80:] *= ramp[: cry.size][::-1]
                if parts:
                    parts.append(np.zeros(int(rng.uniform(0.3, 1.2) * SAMPLE_RATE), np.float32))
                parts.append(cry)
                total, crying = sum(part.size for part in parts), crying + cry.size
                if crying >= _LEAST_CRYING * SAMPLE_RATE and total >= length:
                    break
        wave = np.concatenate(parts)
        if self._is_far(number):
            # The direct sound comes first, so the onset stays. The reverberation after the end is cut off.
            wave = np.asarray(signal.fftconvolve(wave, room_response(rng, (0.0, 6.0)))[: wave.size], np.float32)
            wave[-80:] *= ramp[::-1]
        return wave / np.float32(max(loudness(wave), 1e-9))

    def blocks(self, cries: bool = True) -> Iterator[Wave]:
        """The night's sound in blocks of (samples,). cries: False leaves them out and changes nothing else."""
        self.played = []
        tone = synthetic.coloured(np.random.default_rng([*self._key, 3]), 1 << 20, 1.0)
        tone *= np.float32(10 ** (_ROOM_TONE_DB / 20) / loudness(tone))
        bed, microphone = self._bed(), _Microphone(self)
        rest = np.zeros(0, np.float32)
        waiting = list(enumerate(self.episodes)) if cries else []
        sounding: list[tuple[CryEpisode, Wave]] = []
        for start in range(0, self.samples, _BLOCK):
            size = min(_BLOCK, self.samples - start)
            parts = [rest]
            while sum(part.size for part in parts) < size:
                parts.append(next(bed))
            bed_sound = np.concatenate(parts)
            rest = bed_sound[size:]
            block = bed_sound[:size] + tone[(start + np.arange(size)) % tone.size]
            while waiting and waiting[0][1].onset < start + size:
                number, episode = waiting.pop(0)
                gain = 10 ** ((self.background.level_db + episode.snr_db) / 20)
                sounding.append((episode, self._cry(number, self._babies[number]) * np.float32(gain)))
            for episode, cry in sounding:
                first, last = max(start, episode.onset), min(start + size, episode.end)
                block[first - start : last - start] += cry[first - episode.onset : last - episode.onset]
            sounding = [(episode, cry) for episode, cry in sounding if episode.end > start + size]
            # A microphone clips at full scale.
            yield np.clip(microphone(block, start), -1.0, 1.0)

    def _bed(self) -> Iterator[Wave]:
        """Sounds of the background, each cross-faded into the next, without end."""
        rng = np.random.default_rng([*self._key, 4])
        fade = np.sqrt(np.linspace(0, 1, _FADE, dtype=np.float32))
        level = np.float32(10 ** (self.background.level_db / 20))
        tail, position = np.zeros(_FADE, np.float32), 0
        while True:
            name, wave = self._sound(rng)
            self.played.append((position, name))
            wave = wave * (level / np.float32(max(loudness(wave), 1e-6)))
            pause = int(rng.uniform(0.1, 1) * self.background.gap_seconds * SAMPLE_RATE)
            wave = np.concatenate((wave, np.zeros(pause, np.float32)))
            wave[:_FADE] = wave[:_FADE] * fade + tail
            tail = wave[-_FADE:] * fade[::-1]
            position += wave.size - _FADE
            yield wave[:-_FADE]

    def _sound(self, rng: np.random.Generator) -> tuple[str, Wave]:
        """Draw one sound of the background: its name and (samples,). Groups of real clips are drawn equally often."""
        synthetic_weight = _SYNTHETIC_WEIGHT if self.background.synthetic_sounds else 0
        if rng.random() < len(self._pieces) / (len(self._pieces) + synthetic_weight):
            group = self._pieces[rng.integers(len(self._pieces))]
            piece = group[rng.integers(len(group))]
            return piece.kind, self._stock.waves.read(piece.path, piece.start, piece.stop)
        number = int(rng.integers(_BANK))
        name, make = list(self.background.synthetic_sounds.items())[number % len(self.background.synthetic_sounds)]
        if number not in self._bank:
            sound_rng = np.random.default_rng([*self._key, 5, number])
            self._bank[number] = np.asarray(make(sound_rng, int(_SYNTHETIC_SECONDS * SAMPLE_RATE)), np.float32)
        return f"made {name}", self._bank[number]

    def sound_at(self, seconds: float) -> str:
        """The name of the background's sound at a time that was played already; "" before the first."""
        number = np.searchsorted([start for start, _ in self.played], seconds * SAMPLE_RATE, side="right") - 1
        return self.played[number][1] if number >= 0 else ""


class _Microphone:
    """The devices of a night, block by block: all of them filter the sound, and one at a time is listened to."""

    def __init__(self, night: ComposedNight) -> None:
        rng = np.random.default_rng([*night._key, 6])
        self._filters = [device.sections() for device in night.devices]
        self._states = [np.zeros((len(sections), 2)) for sections in self._filters]
        share = night.samples // night._shares
        device_of_share = np.array([night._device(number) for number in range(night._shares)])
        volume_db = rng.uniform(*night.volume_db, night._shares)
        # The volume changes within a second between two shares; episodes keep clear of that.
        ends = share * np.arange(1, night._shares)
        self._knots = np.concatenate(([0], np.stack((ends - _CHANGE, ends + _CHANGE), 1).ravel(), [night.samples]))
        self._gains = [
            np.repeat((device_of_share == device) * 10 ** (volume_db / 20), 2) for device in range(len(night.devices))
        ]

    def __call__(self, block: Wave, start: int) -> Wave:
        """The sound (samples,) from sample `start` on, as it is recorded. Blocks must follow each other."""
        positions = start + np.arange(block.size)
        out = np.zeros(block.size)
        for number, (sections, gains) in enumerate(zip(self._filters, self._gains, strict=True)):
            wave = np.asarray(block, np.float64)
            if len(sections):
                wave, self._states[number] = signal.sosfilt(sections, wave, zi=self._states[number])
            out += wave * np.interp(positions, self._knots, gains)
        return np.asarray(out, np.float32)
