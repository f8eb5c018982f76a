"""The real sound API on the virtual sound card: capture, playing, starting over; and no sound card at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from virtual_hardware import VirtualSoundCard

from babymonitor.core.messages import Code
from babymonitor.core.settings import ALARM_ON, ALARM_SECONDS, ALARM_VOLUME, Settings
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.live.alarm import Alarm
from babymonitor.live.microphone import Microphone
from babymonitor.live.sound_card import SoundCard, SoundCardError
from babymonitor.live.speaker import Speaker

pytestmark = pytest.mark.sound_card


def tone(seconds: float, rate: int = 16000, hz: float = 440.0) -> np.ndarray:
    return np.asarray(0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate), np.float32)


def pump_until(microphone: Microphone, condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        microphone.pump()
        time.sleep(0.02)


def loudest_hz(wave: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(wave.size)))
    return float(np.argmax(spectrum)) * rate / wave.size


@pytest.fixture
def card(sound_card: VirtualSoundCard) -> SoundCard:
    card = SoundCard()
    card.refresh()
    return card


def test_what_is_played_into_the_room_is_in_the_ring(card: SoundCard, sound_card: VirtualSoundCard) -> None:
    ring = RingBuffer(30.0)
    microphone = Microphone(ring, card)
    microphone.open()
    sound_card.play(tone(6.0, hz=1000.0))
    pump_until(microphone, lambda: ring.written > 16000 and level_db(ring.latest(16000)) > -15)
    wave = ring.latest(8000)
    assert loudest_hz(wave, 16000) == pytest.approx(1000, abs=5)
    assert level_db(wave) == pytest.approx(level_db(tone(0.5)), abs=1.0)
    assert microphone.overflows == 0
    assert microphone.name == "default"
    microphone.close()
    microphone.close()


def test_a_microphone_is_found_by_part_of_its_name_or_else_the_systems_choice(card: SoundCard) -> None:
    ring = RingBuffer(30.0)
    for wanted, expected in (("puls", "pulse"), ("PULSE", "pulse"), ("gone since yesterday", "default")):
        microphone = Microphone(ring, card, wanted)
        microphone.open()
        assert microphone.name == expected
        microphone.close()


def test_opening_anew_cuts_the_sound(card: SoundCard, sound_card: VirtualSoundCard) -> None:
    ring = RingBuffer(30.0)
    microphone = Microphone(ring, card)
    microphone.open()
    pump_until(microphone, lambda: ring.written > 4000)
    microphone.reopen()
    assert ring.cut_at == ring.written > 0
    pump_until(microphone, lambda: ring.written > ring.cut_at + 4000)
    microphone.close()


def test_the_alarm_comes_out_and_survives_starting_over(card: SoundCard, sound_card: VirtualSoundCard) -> None:
    settings = Settings()
    settings[ALARM_SECONDS] = 20.0
    alarm = Alarm(card, settings)
    assert alarm.crying() == ""
    loud = level_db(sound_card.loudspeaker(1.5))
    assert loud > -30
    card.refresh()
    assert alarm.sounding
    assert level_db(sound_card.loudspeaker(1.5)) > -30
    alarm.stop()
    assert not alarm.sounding
    settings[ALARM_VOLUME] = 10
    alarm.test()
    assert level_db(sound_card.loudspeaker(1.5)) < loud - 10
    alarm.stop()
    settings[ALARM_ON] = False
    alarm.crying()
    assert not alarm.sounding
    assert alarm.health() == ""
    assert alarm.sounding, "not listening is never silent"
    alarm.stop()


def test_a_clip_is_played_once_at_its_own_pitch(card: SoundCard, sound_card: VirtualSoundCard) -> None:
    speaker = Speaker(card)
    speaker.play(tone(2.5, 16000, 700.0), 16000)
    played = sound_card.loudspeaker(2.0)
    assert loudest_hz(played[-30000:], 44100) == pytest.approx(700, abs=5)
    deadline = time.monotonic() + 5
    while speaker.playing:
        assert time.monotonic() < deadline
        time.sleep(0.05)


class OneAtATime(SoundCard):
    """As a sound card without a server behind it: one stream has it for itself."""

    stream: Any = None

    def open_output(self, callback: Callable[..., None]) -> Any:
        if self.stream is not None and not self.stream.closed:
            raise SoundCardError(Code.LOUDSPEAKER_UNUSABLE, reason="Device unavailable")
        self.stream = super().open_output(callback)
        return self.stream


def test_an_alarm_takes_the_loudspeaker_from_a_clip_but_no_clip_from_the_alarm(
    sound_card: VirtualSoundCard,
) -> None:
    card = OneAtATime()
    card.refresh()
    alarm, speaker = Alarm(card, Settings()), Speaker(card)
    speaker.play(tone(30.0), 16000, 0.01)
    assert alarm.crying() == ""
    assert not speaker.playing
    assert level_db(sound_card.loudspeaker(1.5)) > -30
    with pytest.raises(SoundCardError, match="unavailable"):
        speaker.play(tone(1.0), 16000)
    assert alarm.sounding
    alarm.stop()


def test_without_a_sound_server_everything_is_a_sentence(
    sound_card: VirtualSoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    monkeypatch.setenv("PULSE_SERVER", "/nonexistent/native")
    card = SoundCard()
    card.refresh()
    with pytest.raises(SoundCardError, match=r"(microphone|does not open).*\.$"):
        Microphone(RingBuffer(1.0), card).open()
    assert Alarm(card, Settings()).crying().startswith("The alarm cannot be heard: ")
    assert Alarm(None, Settings()).test().startswith("There is no loudspeaker")
    monkeypatch.undo()
    card.refresh()
    microphone = Microphone(RingBuffer(1.0), card)
    microphone.open()
    microphone.close()


def test_looking_for_one_microphone_deafens_another_no_longer_than_its_budget(
    card: SoundCard, sound_card: VirtualSoundCard, measured: Callable[[str, str], None]
) -> None:
    """A microphone that is gone is looked for every half second; the other room is heard all the while."""
    with sound_card.second_microphone() as name:
        card.refresh()
        assert name in card.microphones()
        ring, missing = RingBuffer(60.0), RingBuffer(60.0)
        listening, sought = Microphone(ring, card, name), Microphone(missing, card, "unplugged")
        listening.open()
        assert listening.name == name
        pump_until(listening, lambda: ring.written > 8000)
        began, last, longest, refreshing = time.monotonic(), time.monotonic(), 0.0, 0.0
        next_attempt, refreshes = began, 0
        while time.monotonic() - began < 8.0:
            if time.monotonic() >= next_attempt:
                sought.close()
                asked = time.monotonic()
                if card.refresh(sought):
                    refreshes, refreshing = refreshes + 1, refreshing + time.monotonic() - asked
                next_attempt = time.monotonic() + 0.5
            before = ring.written
            listening.pump()
            if ring.written > before:
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
            time.sleep(0.02)
        listening.close()
    measured(
        "a microphone looked for beside another",
        f"{refreshes} refreshes, {refreshing:.2f} s in all, longest without samples {longest:.2f} s",
    )
    assert refreshes >= 1, "it is looked for all the same"
    assert longest < 1.9, "the other room never counts as deaf"
    assert refreshing <= 1.5, "of a budget of one second; the last may take longer than those before"
