"""The alarm sounds. Crying and 'not listening' sound different."""

from __future__ import annotations

import numpy as np

from babymonitor.core import paths
from babymonitor.core.messages import Code, message
from babymonitor.core.settings import ALARM_ON, ALARM_SECONDS, ALARM_VOLUME, Settings
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import AudioError, Wave
from babymonitor.live.sound_card import SoundCard, SoundCardError
from babymonitor.live.speaker import Speaker

_RATE = 44100


class Alarm:
    """Plays the alarms through the loudspeakers, for the time set or until they are stopped.

    Its methods return a sentence when it cannot be heard, an empty text when it can. Switching the alarm off silences
    crying; 'not listening' is never silent.
    """

    def __init__(self, card: SoundCard | None, settings: Settings) -> None:
        self._settings = settings
        self._card = card
        self._speaker = Speaker(card) if card is not None else None

    @property
    def sounding(self) -> bool:
        return self._speaker is not None and self._speaker.playing

    def crying(self) -> str:
        """Sound the alarm for crying."""
        return self._sound("alarm.wav") if self._settings[ALARM_ON] else ""

    def health(self) -> str:
        """Sound the alarm for a monitor that is not listening, or not with its model."""
        return self._sound("health.wav")

    def test(self) -> str:
        """Sound the alarm for crying for three seconds, even if it is switched off."""
        return self._sound("alarm.wav", seconds=3.0)

    def stop(self) -> None:
        if self._speaker is not None:
            self._speaker.stop()

    def _sound(self, file: str, seconds: float | None = None) -> str:
        if self._speaker is None or self._card is None:
            return message(Code.ALARM_WITHOUT_LOUDSPEAKER)
        try:
            wave = read_wave(paths.resource("sounds", file), _RATE)
        except AudioError:
            wave = _beeps()
        sentence = self._play(self._speaker, wave, seconds)
        if sentence and self._card.hush_others(self._speaker):
            # A clip that is being played must never stand in the way of an alarm.
            sentence = self._play(self._speaker, wave, seconds)
        return sentence

    def _play(self, speaker: Speaker, wave: Wave, seconds: float | None) -> str:
        volume = self._settings[ALARM_VOLUME] / 100
        try:
            speaker.play(wave, _RATE, volume, self._settings[ALARM_SECONDS] if seconds is None else seconds)
        except SoundCardError as error:
            return message(Code.ALARM_CANNOT_BE_HEARD, reason=error.message)
        return ""


def _beeps() -> Wave:
    """Return a tone to play when the sound file is missing: an alarm must not depend on a file."""
    time = np.arange(_RATE) / _RATE
    return np.asarray(0.8 * np.sin(2 * np.pi * 880.0 * time) * (time % 0.5 < 0.25), np.float32)
