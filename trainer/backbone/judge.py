"""Measures how well a backbone separates crying from other sound on clips that were left out, plain and in noise."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.backbone.answers import levelled
from trainer.backbone.microphone import Hearing, NoiseSource, device, mixed, passed, recorded, room
from trainer.backbone.tagger import BABY_CRY, SEGMENT, patches_of
from trainer.data.dataset import Clip, stable_random
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.sound_kinds import CRY, label_of
from trainer.evaluation.metrics import recall_at, roc_area

_HOP = 7800
"""Half a segment, as YAMNet is published."""
_LONGEST = 10 * SAMPLE_RATE
_BATCH = 64
_SNRS_DB = (-3.0, 9.0)
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Segments:
    """Log-mel of clips, (segments, 96, 64), and which clip each segment is of, (segments,)."""

    patches: npt.NDArray[np.float16]
    owners: npt.NDArray[np.int64]


class Judge:
    """Left-out cries against all other left-out sound, each clip by the highest answer to "baby cry" in its first 10 s.

    Clips of babies that laugh, babble or fuss count as neither. Every clip is judged twice: as recorded, and through a
    room with noise at a signal-to-noise ratio of -3 to 9 dB, drawn by the clip's name.
    """

    def __init__(self, clips: Sequence[Clip], audio: DecodedAudio, cache: Path) -> None:
        self.clips = [clip for clip in clips if label_of(clip) == CRY or not label_of(clip).startswith("baby")]
        self.crying = np.array([label_of(clip) == CRY for clip in self.clips], bool)
        self._noise = NoiseSource(0)
        identity = hashlib.sha256(
            repr((1, _SNRS_DB, [(clip.path, audio.content(clip.path)) for clip in self.clips])).encode()
        ).hexdigest()[:12]
        self._views: dict[str, _Segments] = {}
        for view in ("plain", "noisy"):
            file = cache / f"judged-{identity}-{view}.npz"
            if not file.is_file():
                segments = self._prepared(audio, view == "noisy")
                partial = file.with_suffix(".part")
                with partial.open("wb") as stream:
                    np.savez(stream, patches=segments.patches, owners=segments.owners)
                partial.replace(file)
            with np.load(file) as stored:
                self._views[view] = _Segments(stored["patches"], stored["owners"])

    def _prepared(self, audio: DecodedAudio, noisy: bool) -> _Segments:
        patches, owners = [], []
        for number, clip in enumerate(self.clips):
            wave = audio.read(clip.path, 0, _LONGEST)
            if noisy:
                wave = self._in_noise(wave, np.random.default_rng(stable_random(clip.path, "noisy")))
            wave = np.pad(wave, (0, max(0, SEGMENT - wave.size)))
            starts = range(0, wave.size - SEGMENT + 1, _HOP)
            segments = np.stack([wave[start : start + SEGMENT] for start in starts])
            patches.append(patches_of(torch.from_numpy(segments))[:, 0].numpy().astype(np.float16))
            owners += [number] * len(segments)
        return _Segments(np.concatenate(patches), np.array(owners))

    def _in_noise(self, wave: Wave, rng: np.random.Generator) -> Wave:
        wave = passed(levelled(wave, 0.1), room(rng), None)
        wave = mixed(wave, self._noise.steady(rng, wave.size), float(rng.uniform(*_SNRS_DB)))
        hearing = Hearing()
        return recorded(passed(wave, None, device(rng, hearing)), rng, self._noise, hearing, rng.uniform(-40.0, -20.0))

    @torch.no_grad()
    def answers(self, network: nn.Module, bfloat16: bool = False) -> dict[str, Floats]:
        """Return a network's probabilities, (segments, 521), by view: ``"plain"`` and ``"noisy"``."""
        network.eval()
        answers = {}
        for view, segments in self._views.items():
            batches = np.array_split(segments.patches, math.ceil(len(segments.patches) / _BATCH))
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                logits = [network(torch.from_numpy(batch.astype(np.float32)).unsqueeze(1)) for batch in batches]
            answers[view] = np.asarray(torch.sigmoid(torch.cat(logits).float()).numpy(), np.float32)
        return answers

    def scores(self, answers: Floats, view: str) -> Floats:
        """Return the highest probability of "baby cry" in each clip, (clips,)."""
        scores = np.zeros(len(self.clips), np.float32)
        np.maximum.at(scores, self._views[view].owners, answers[:, BABY_CRY])
        return scores

    def judgement(self, answers: dict[str, Floats], teacher: dict[str, Floats] | None = None) -> dict[str, Any]:
        """Return, by view, the ROC area, the share of cries found at 1 % and 0.1 % false positives, and cries by
        source.

        teacher: its answers. If given, ``"drift"`` is the mean difference from them on plain sound that is no cry.
        """
        judgement: dict[str, Any] = {view: self._figures(self.scores(answers[view], view)) for view in answers}
        if teacher is not None:
            no_cry = ~self.crying[self._views["plain"].owners]
            judgement["drift"] = round(float(np.abs(answers["plain"] - teacher["plain"])[no_cry].mean()), 6)
        return judgement

    def _figures(self, scores: Floats) -> dict[str, Any]:
        figures: dict[str, Any] = {"auc": round(roc_area(scores, self.crying), 4)}
        for name, share in (("found_at_1", 0.01), ("found_at_0.1", 0.001)):
            figures[name] = round(recall_at(scores, self.crying, share), 4)
        no_cries = np.sort(scores[~self.crying])[::-1]
        if no_cries.size:
            over = scores > no_cries[int(0.01 * no_cries.size)]
            sources = np.array([clip.source for clip in self.clips])
            figures["found_by_source_at_1"] = {
                str(source): f"{int(over[part].sum())}/{int(part.sum())}"
                for source in sorted(set(sources[self.crying]))
                if (part := (sources == source) & self.crying).any()
            }
        return figures
