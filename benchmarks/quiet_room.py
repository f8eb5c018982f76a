"""A quiet room on a machine without one: a virtual screen, and a virtual microphone that only hears the room."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from resources import synthesise
from tests.virtual_hardware import VirtualScreen, VirtualSoundCard, missing_programs


@contextmanager
def quiet_room(seconds: float) -> Iterator[None]:
    """Provide the room for `seconds`. Exits with a message if Xvfb or PulseAudio is missing.

    The sound is delivered in short blocks, as by a real microphone. Left to itself, the virtual card delivers up to two
    seconds at once, and a stream that is opened in between waits for the next block.
    """
    if missing := missing_programs():
        sys.exit(f"These programs are needed and not here: {', '.join(missing)}.")
    screen = VirtualScreen()
    try:
        sound_card = VirtualSoundCard()
        try:
            os.environ["PULSE_LATENCY_MSEC"] = "20"
            sound_card.play(synthesise.room_tone(seconds, np.random.default_rng(1), level_db=-55.0))
            del os.environ["PULSE_LATENCY_MSEC"]
            yield
        finally:
            sound_card.close()
    finally:
        screen.close()
