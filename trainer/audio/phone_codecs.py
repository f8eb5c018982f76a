"""What phones and recorders do to sound: encode a wave with a real codec, and decode it again."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave

# Container, encoder, sampling rate, bits per second. Mostly phones' voice memos, because the cries in the corpora were
# recorded that way. If other sounds came through them less often, a network would take the codec for the cry.
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
"""Limit of a decoded amplitude. Recursive decoders (AMR) can diverge: one siren became 10^11 times full scale."""
_CODED = {".3gp", ".3gpp", ".amr", ".caf", ".m4a", ".mp4", ".aac", ".opus", ".webm"}


def is_coded(path: str) -> bool:
    """Whether a file has been through a phone's or recorder's codec already, by its suffix."""
    return Path(path).suffix.lower() in _CODED


@lru_cache(maxsize=1)
def available() -> tuple[tuple[str, str, int, int], ...]:
    """Return the codecs that this machine's FFmpeg can encode."""
    codecs = []
    for codec in _CODECS:
        try:
            av.codec.Codec(codec[1], "w")
        except (av.FFmpegError, ValueError):
            continue
        codecs.append(codec)
    return tuple(codecs)


def codec_copy(wave: Wave, number: int) -> Wave:
    """Encode and decode a wave with the codec chosen by `number`. Same length; returned unaltered if that fails."""
    codecs = available()
    if not codecs or wave.size == 0:
        return wave
    try:
        return through_codec(wave, *codecs[number % len(codecs)])
    except (av.FFmpegError, ValueError, OSError):
        return wave


def through_codec(wave: Wave, container: str, encoder: str, rate: int, bits_per_second: int) -> Wave:
    """Encode a wave, (samples,) at 16 kHz, at `rate`, and decode it to (samples,) at 16 kHz.

    Sound that the codec cuts off is replaced by silence. Raises ValueError if the decoder diverges.
    """
    at_rate = soxr.resample(wave, SAMPLE_RATE, rate) if rate != SAMPLE_RATE else wave
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as sink:
        stream: Any = sink.add_stream(encoder, rate=rate)  # the annotation includes video streams
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
        raise ValueError("the decoder diverged")
    if rate != SAMPLE_RATE:
        back = soxr.resample(back, rate, SAMPLE_RATE)
    out = np.zeros_like(wave)
    size = min(out.size, back.size)
    out[:size] = back[:size]
    return out
