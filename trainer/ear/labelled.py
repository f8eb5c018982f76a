"""The clips that the ear is fitted to and judged by, with the labels that tell whether a baby cries in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from babymonitor.core.labels import UNCLEAR
from trainer.backbone.sounds import decode, divide
from trainer.data.dataset import Clip, Span
from trainer.data.decoded_audio import DecodedAudio, merge_duplicate_groups, trim_to_audio
from trainer.data.readers import load
from trainer.data.sound_kinds import CANDIDATES, CRY, label_of, read_clips

_LABELS = {CRY: UNCLEAR, "baby_laugh": "happy", "baby_laugh_over_music": "happy", "baby_babble": "natural"}
_UNSURE = {CANDIDATES, "baby_fuss", "baby_vocal_unsure", "child_scream"}
"""Labels of recordings that say nothing of whether a baby cries; segments may."""
_MIXED = ("third/troywang/noise/",)
"""Folders of sound called noise in which babies cry."""


@dataclass(frozen=True, slots=True)
class LabelledClips:
    """learnt: clips that may be learnt from. judged: those left out, and those that no model may learn from."""

    learnt: tuple[Clip, ...]
    judged: tuple[Clip, ...]
    waves: DecodedAudio


def read_labelled(data: Path, segments: Path, cache: Path, patterns: Sequence[str] = ()) -> LabelledClips:
    """Read a folder with a manifest and decode its clips.

    segments: labels of stretches, which count where the manifest's label says nothing; their reasons are kept.
    patterns: what is left out, see `trainer.backbone.sounds.divide`.
    """
    clips = read_clips(data)
    waves = decode(data, clips, cache, codecs=False)
    sides = divide(clips, waves, patterns)
    by_segment = {clip.path: clip for clip in load(data, segments).clips}
    labelled = []
    for clip in clips:
        if clip.path not in waves or clip.path.startswith(_MIXED):
            continue
        name = label_of(clip)
        if name not in _UNSURE:
            clip = replace(clip, spans=(Span(0.0, float("inf"), _LABELS.get(name, "background")),))
        elif clip.path in by_segment:
            clip = replace(clip, spans=by_segment[clip.path].spans)
        else:
            continue
        labelled.append(clip)
    trimmed = merge_duplicate_groups(trim_to_audio(labelled, waves), waves)
    learnt, judged = ({clip.path for clip in side} for side in (sides.learnt, sides.judged))
    return LabelledClips(
        tuple(clip for clip in trimmed if clip.path in learnt),
        tuple(clip for clip in trimmed if clip.path in judged),
        waves,
    )
