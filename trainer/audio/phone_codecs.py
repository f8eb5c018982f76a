"""What phones and recorders do to sound: a wave through a real encoder and back."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave

# container, encoder, sampling rate, bits per second. Phones' voice memos in most places: the cries to learn from come
# through them, and if other sounds did so more rarely, a network would take the codec for the cry.
_CODECS: tuple[tuple[str, str, int, int], ...] = (
    *(("3gp", "libopencore_amrnb", 8000, 12200),) * 4,
    ("3gp", "libopencore_amrnb", 8000, 7950),
    *(("mov", "adpcm_ima_qt", 16000, 0),) * 2,
    ("mov", "adpcm_ima_qt", 8000, 0),
    ("mp3", "libmp3lame", 16000, 32000),
    ("ogg", "libopus", 16000, 16000),
    ("adts", "aac", 16000, 24000),
)
_LOUDEST = 4.0
"""A decoder that filters its own past (AMR) may run away: of one siren FFmpeg's makes 10^11 times full scale."""
_CODED = {".3gp", ".3gpp", ".amr", ".caf", ".m4a", ".mp4", ".aac", ".opus", ".webm"}


def is_coded(path: str) -> bool:
    """Whether a file has been through a phone's or recorder's codec already, by its ending."""
    return Path(path).suffix.lower() in _CODED


@lru_cache(maxsize=1)
def available() -> tuple[tuple[str, str, int, int], ...]:
    """The codecs that this machine's FFmpeg can encode."""
    found = []
    for codec in _CODECS:
        try:
            av.codec.Codec(codec[1], "w")
        except (av.FFmpegError, ValueError):
            continue
        found.append(codec)
    return tuple(found)


def codec_copy(wave: Wave, draw: int) -> Wave:
    """The wave through one codec (chosen by `draw`) and back, same length; as it was where that fails."""
    codecs = available()
    if not codecs or wave.size == 0:
        return wave
    try:
        return through_codec(wave, *codecs[draw % len(codecs)])
    except (av.FFmpegError, ValueError, OSError):
        return wave


def through_codec(wave: Wave, container: str, encoder: str, rate: int, bits_per_second: int) -> Wave:
    """(samples,) at 16 kHz → encoded at `rate` → decoded → (samples,) at 16 kHz, silence where the codec cut it.

    ValueError where the decoder ran away.
    """
    at_rate = soxr.resample(wave, SAMPLE_RATE, rate) if rate != SAMPLE_RATE else wave
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as sink:
        stream: Any = sink.add_stream(encoder, rate=rate)  # its annotation allows pictures too
        stream.layout = "mono"
        if bits_per_second:
            stream.bit_rate = bits_per_second
        samples = np.clip(np.round(at_rate * 32767.0), -32768, 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = rate
        to_codec = av.AudioResampler(stream.codec_context.format, "mono", rate, stream.codec_context.frame_size or None)
        for piece in [*to_codec.resample(frame), *to_codec.resample(None)]:
            sink.mux(stream.encode(piece))
        sink.mux(stream.encode(None))
    memory.seek(0)
    blocks = []
    with av.open(memory, "r") as source:
        to_float = av.AudioResampler("flt", "mono", rate)
        for decoded in source.decode(audio=0):
            blocks += [piece.to_ndarray().reshape(-1) for piece in to_float.resample(decoded)]
        blocks += [piece.to_ndarray().reshape(-1) for piece in to_float.resample(None)]
    back = np.concatenate(blocks).astype(np.float32)
    if not np.abs(back).max(initial=0) < _LOUDEST:
        raise ValueError("the decoder ran away")
    if rate != SAMPLE_RATE:
        back = soxr.resample(back, rate, SAMPLE_RATE)
    out = np.zeros_like(wave)
    size = min(out.size, back.size)
    out[:size] = back[:size]
    return out
