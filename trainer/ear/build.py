"""Build the ear from a trained backbone: reasons, what the network hears in nights and clips, evidence, the file."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.evidence import HIGHEST, MEANS, SOUND_MEANS, Evidence
from babymonitor.core.whole_file import whole_file
from trainer.backbone.tagger import mean_backbone
from trainer.data.split import group_hash
from trainer.ear.evidence_fit import fit_evidence
from trainer.ear.kinds import GROUPS
from trainer.ear.labelled import LabelledClips, read_labelled
from trainer.ear.material import HeardSound, NightPlan, heard_clip, heard_nights
from trainer.ear.model_file import write_ear
from trainer.ear.network import EAR_LABELS, EarNetwork
from trainer.ear.reasons import crying_windows, fit_reasons
from trainer.evaluation.night_stock import BACKGROUNDS, Stock, gather_stock

Tell = Callable[[dict[str, Any]], None]

_MINIMUM_SECONDS = 0.0
"""Evidence over time says how long is long enough."""


@dataclass(frozen=True, slots=True)
class EarRequest:
    """What to build from.

    backbones: files of weights, of which the mean is taken. published: YAMNet's .tflite file, which has a share in the
    mean. data: a folder with a manifest; left_out: patterns of what nothing is fitted to. hours: of each background.
    start: the threshold of the card.
    """

    backbones: Sequence[Path]
    published: Path
    share_of_published: float
    data: Path
    segments: Path
    left_out: Sequence[str]
    output: Path
    cache: Path
    hours: float = 1.0
    seeds: Sequence[int] = (1, 2)
    processes: int = 2
    start: float = 0.5
    name: str = "Default"
    licence: str = ""


def build_ear(request: EarRequest, tell: Tell) -> Path:
    """Build the model file. What the network heard is kept in the cache, so that a second run goes on from there."""
    torch.set_num_threads(1)
    tagger = mean_backbone(request.backbones, request.published, request.share_of_published)
    clips = read_labelled(request.data, request.segments, request.cache, request.left_out)
    network = EarNetwork(tagger)
    crying_labels = [EAR_LABELS[index] for index in network.crying_at]
    reasons = fit_reasons(*crying_windows(tagger, clips.learnt, clips.waves), crying_labels)
    network.take_reasons(reasons)
    tell({"event": "reasons", **reasons.figures})
    # Evidence is learnt from what the network hears when it is asked as seldom as in use.
    draft = request.cache / "draft.onnx"
    write_ear(draft, network, _stand_in(), {"start": 0.5, "end": 0.3})
    sounds = []
    for sound in _heard(request, draft, clips):
        sounds.append(sound)
        if sound.kind != "clip":
            tell({"event": "heard", "night": sound.kind, "windows": len(sound.ends)})
    evidence = fit_evidence(sounds)
    tell({"event": "evidence", **_fit_figures(evidence, sounds)})
    groups = sorted({group_hash(clip.group) for clip in clips.learnt})
    sources = sorted({clip.source for clip in clips.learnt if clip.source})
    write_ear(
        request.output,
        network,
        evidence,
        {"start": request.start, "end": round(0.5 * request.start, 3), "minimum_seconds": _MINIMUM_SECONDS},
        name=request.name,
        licence=request.licence,
        training={
            "groups": {"train": groups},
            "sources": sources,
            "left_out": list(request.left_out),
            "backbones": [path.name for path in request.backbones],
            "share_of_published_weights": request.share_of_published,
            "hours_of_nights": request.hours * len(request.seeds) * len(BACKGROUNDS),
        },
        metrics={"reasons": reasons.figures},
        calibration={"on": "nights and clips that were learnt from"},
    )
    return request.output


def _stand_in() -> Evidence:
    """Evidence that answers with the window's own P(crying)."""
    now = np.array([1.0] + [0.0] * (len(HIGHEST) + len(MEANS) - 1), np.float32)
    return Evidence(now, np.zeros((len(SOUND_MEANS), len(GROUPS)), np.float32), 0.0)


def _stock(request: EarRequest) -> Stock:
    clips = read_labelled(request.data, request.segments, request.cache, request.left_out)
    return gather_stock(clips.learnt, clips.waves)


def _heard(request: EarRequest, draft: Path, clips: LabelledClips) -> Iterator[HeardSound]:
    """What the draft heard in clips and nights, from the cache where it is there already."""
    identity = hashlib.sha256(draft.read_bytes()).hexdigest()[:12]
    folder = request.cache / f"heard-{identity}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "clips.npz"
    if not file.is_file():
        classifier = Classifier(draft)
        found = (heard_clip(classifier, clip, clips.waves.read(clip.path)) for clip in clips.learnt)
        _keep([sound for sound in found if sound is not None], file)
    yield from _kept(file)
    plans = [NightPlan(background.name, request.hours, seed) for seed in request.seeds for background in BACKGROUNDS]
    files = {plan: folder / f"{plan.background}-{plan.hours:g}-{plan.seed}.npz" for plan in plans}
    missing = [plan for plan in plans if not files[plan].is_file()]
    if missing:
        nights = heard_nights(draft, functools.partial(_stock, request), missing, request.processes)
        for plan, sound in zip(missing, nights, strict=True):
            _keep([sound], files[plan])
    for plan in plans:
        yield from _kept(files[plan])


def _keep(sounds: Sequence[HeardSound], file: Path) -> None:
    with whole_file(file, suffix=".part.npz") as partial:
        np.savez(
            partial,
            rows=np.concatenate([sound.rows for sound in sounds]).astype(np.float16),
            crying=np.concatenate([sound.crying for sound in sounds]),
            ends=np.concatenate([sound.ends for sound in sounds]),
            lengths=np.array([len(sound.ends) for sound in sounds]),
            kinds=np.array([sound.kind for sound in sounds]),
            groups=np.array([sound.group for sound in sounds]),
        )


def _kept(file: Path) -> Iterator[HeardSound]:
    with np.load(file) as stored:
        values = {name: stored[name] for name in stored.files}
    stops = np.cumsum(values["lengths"])
    for start, stop, kind, group in zip(
        stops - values["lengths"], stops, values["kinds"], values["groups"], strict=True
    ):
        rows = values["rows"][start:stop].astype(np.float32)
        yield HeardSound(rows, values["crying"][start:stop], values["ends"][start:stop], str(kind), str(group))


def _fit_figures(evidence: Evidence, sounds: Sequence[HeardSound]) -> dict[str, Any]:
    """On what was learnt from: the share of crying windows at one half and above, and of other windows."""
    above = {
        cries: np.concatenate([evidence.of_windows(sound.rows)[sound.crying == cries] for sound in sounds])
        for cries in (0, 1)
    }
    return {
        "windows": int(sum(len(sound.ends) for sound in sounds)),
        "crying_found": round(float((above[1] >= 0.5).mean()), 4),
        "others_raised": round(float((above[0] >= 0.5).mean()), 5),
    }
