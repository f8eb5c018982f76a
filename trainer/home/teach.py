"""Teach a model one home: the caregiver's own clips, in seconds, without forgetting anybody else's baby.

The network stays as it is. What is learnt is an adapter behind it (`trainer.home.adapter`), fitted to its embeddings of
the clips (`trainer.home.adapter_fit`) beside those of other people's babies (`trainer.home.rehearsal`). The result is
measured on groups (recordings, nights) that a fit has not seen, and the fit is repeated more cautiously while it does
harm.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from babymonitor.core import paths
from babymonitor.core.labels import UNCLEAR
from babymonitor.core.labels import label as known_label
from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import AudioError
from trainer.data.dataset import Clip, stable_random
from trainer.data.readers import Roots, load, with_joined_groups
from trainer.data.split import group_hash
from trainer.errors import DataError, counted
from trainer.home import old_and_new
from trainer.home import rehearsal as rehearsals
from trainer.home.adapter import Adapter, BaseModel, Floats, in_threads
from trainer.home.adapter_fit import Caution, fit_adapter, label_for_model, unproject
from trainer.home.clip_embeddings import EmbeddedClip, embed_clip
from trainer.home.old_and_new import ClipVerdict, ComparedClip, verdict_of
from trainer.home.rehearsal import Rehearsal, everyone_else

Event = Callable[[dict[str, Any]], None]
"""Takes the events of a run as plain values: ``started``, ``progress``, ``warning``."""

FOLDS = 5
CAUTIONS = (1.0, 4.0, 16.0)
"""Factors by which the fit becomes more cautious while it does harm."""
TOLERANCE = 0.02
"""The largest share of everybody else's cries that may be lost, and of their other sounds that may be raised. A single
clip of them decides nothing, however few there are.
"""
_EMBEDDING_SHARE = 0.85
"""Of the time that a run takes, for its progress."""
_ALTERED_TAKES = 150
"""Of all clips together: the fewer the clips, the more takes of each, up to `_MOST_COPIES`."""
_MOST_COPIES = 3


@dataclass(frozen=True, slots=True)
class TeachRequest:
    """What to teach.

    model: the file in use; one that was taught already is taught anew from its base. data: the library, or any data
    set. output: the file to write. comparison: where to write the comparison of old and new, if anywhere.
    """

    model: Path
    data: Roots
    output: Path
    comparison: Path | None = None
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices of the clips that are judged, and of those that the adapter judging them is fitted to."""

    judged: tuple[int, ...]
    learnt: tuple[int, ...]


def teach(request: TeachRequest, event: Event = lambda values: None) -> dict[str, Any]:
    """Write the taught model and its comparison with the old one; returns the comparison.

    Raises DataError where the output's name, the data or the model do not allow it.
    """
    if request.output.suffix != ".onnx":
        raise DataError(f"A model file is called NAME.onnx; {request.output.name} is not.")
    base = BaseModel(request.model)
    clips, files = _labelled_clips(request.data, base.card)
    hashed_groups = sorted({group_hash(name) for clip in clips for name in (clip.group, clip.own_group)})
    clips = with_joined_groups(clips, files)
    labels = Counter(clip.spans[0].label for clip in clips)
    groups = len({clip.group for clip in clips})
    event({"event": "started", "model": base.card.name, "clips": len(clips), "groups": groups, "labels": dict(labels)})
    rehearsal = _rehearsal_for(base, request.model)
    if rehearsal.is_synthetic:
        sentence = "There is no rehearsal file for this model: what it does to other babies cannot be told."
        event({"event": "warning", "sentence": sentence})
    embedded = _embed_clips(base, rehearsal, clips, files, request.threads, event)
    if not embedded:
        raise DataError("None of the clips could be read.")
    lesson = learn(embedded, base.card, rehearsal, event)
    details = {
        "clips": len(embedded),
        "groups": len({clip.group for clip in embedded}),
        "labels": dict(Counter(clip.label for clip in embedded)),
        "caution": lesson.caution,
        "met": hashed_groups,
    }
    compared = compare_clips(embedded, lesson.probabilities, base.card)
    adapter = unproject(lesson.adapter, rehearsal.projection)
    card = base.write(request.output, adapter, details, reason_figures(compared, base.card))
    report = old_and_new.comparison(
        compared,
        (base.card, card),
        (request.model, request.output),
        lesson.how,
        lesson.everyone_else,
    )
    report["refused"] = old_and_new.refusal(report) or refusal(lesson.everyone_else)
    if request.comparison is not None:
        old_and_new.write(request.comparison, report)
    return report


def metrics_of(report: dict[str, Any]) -> dict[str, Any]:
    """The few figures of a comparison that a list of runs shows."""
    return {
        "balanced_accuracy": report["balanced_accuracy"]["new"]["value"],
        "balanced_accuracy_before": report["balanced_accuracy"]["old"]["value"],
        "cries": report["cries"],
        "others": report["others"],
    }


def _labelled_clips(data: Roots, card: ModelCard) -> tuple[list[Clip], dict[str, Path]]:
    """The clips with a single label that the model can be taught, and their files by clip path.

    Raises DataError where there is none.
    """
    data_set = load(data)
    clips = [clip for clip in data_set.clips if clip.usable and len({span.label for span in clip.spans}) == 1]
    if "background" not in card.labels:
        clips = [clip for clip in clips if clip.spans[0].label in card.labels]
    if not clips:
        raise DataError(f"{data_set} holds no clip that this model could be taught.")
    return clips, {clip.path: data_set.file(clip.path) for clip in clips}


def _rehearsal_for(base: BaseModel, model: Path) -> Rehearsal:
    """The model's rehearsal from beside it, beside the app's own model, or the run that trained it; else synthetic."""
    folders = [model.parent, paths.default_model().parent, paths.models_folder()]
    folders += sorted((folder for folder in paths.runs_folder().glob("*") if folder.is_dir()), reverse=True)
    return rehearsals.find_rehearsal(base.sha256, folders) or rehearsals.synthetic_rehearsal(base)


def _embed_clips(
    base: BaseModel, rehearsal: Rehearsal, clips: Sequence[Clip], files: dict[str, Path], threads: int, event: Event
) -> list[EmbeddedClip]:
    """Run the model over all clips, with progress; a clip that cannot be used gives a warning and is left out."""
    copies = int(np.clip(_ALTERED_TAKES // len(clips), 1, _MOST_COPIES))

    def embed(clip: Clip) -> EmbeddedClip | str:
        try:
            wave = read_wave(files[clip.path], base.card.features.sample_rate)
        except AudioError as error:
            return str(error)
        if wave.size < base.card.features.n_fft:
            return f"{clip.path} is too short to be taught."
        seed = (stable_random(clip.path, "teach"),)
        path, name = str(files[clip.path]), clip.spans[0].label
        return embed_clip(base, rehearsal.projection, wave, path, clip.group, name, copies, seed)

    began, last_event = time.monotonic(), 0.0
    embedded = []
    step = f"listening to {counted(len(clips), 'clip')}"
    for done, result in enumerate(in_threads(embed, clips, threads), start=1):
        if isinstance(result, EmbeddedClip):
            embedded.append(result)
        else:
            event({"event": "warning", "sentence": result})
        now = time.monotonic()
        if now - last_event > 0.25 or done == len(clips):
            last_event = now
            seconds_left = (now - began) / done * (len(clips) - done) / _EMBEDDING_SHARE
            share = round(_EMBEDDING_SHARE * done / len(clips), 3)
            event({"event": "progress", "share": share, "what": step, "seconds_left": round(seconds_left, 1)})
    return embedded


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learnt.

    adapter: of projected embeddings, fitted to all clips. probabilities: of each clip (N, labels), by an adapter that
    was fitted without the clip's group; how: that in a sentence. everyone_else: see `rehearsal.everyone_else`; None
    without a rehearsal file. caution: the factor of `CAUTIONS` that was used.
    """

    adapter: Adapter
    probabilities: list[Floats]
    how: str
    everyone_else: dict[str, Any] | None
    caution: float


def learn(
    clips: Sequence[EmbeddedClip],
    card: ModelCard,
    rehearsal: Rehearsal,
    event: Event = lambda values: None,
    caution: Caution | None = None,
) -> Lesson:
    """Fit the adapter as boldly as does no harm, neither to the library's own cries nor to other babies'.

    The former are judged by adapters fitted without their group, the latter on the rehearsal's validation side.
    """
    folds, how = folds_of(clips)
    caution, labels = caution or Caution(), card.labels
    began = time.monotonic()
    steps, done = len(CAUTIONS) * (len(folds) + 1), 0
    adapter, factor = Adapter.untaught(labels, 0), CAUTIONS[0]
    probabilities: list[Floats] = []
    for factor in CAUTIONS:
        scaled_caution = caution.times(factor)
        probabilities = [clip.takes[0].probabilities for clip in clips]
        for fold in folds:
            fold_clips = [clips[index] for index in fold.learnt]
            fold_adapter = fit_adapter(fold_clips, card, rehearsal.fit, scaled_caution)
            for index in fold.judged:
                take = clips[index].takes[0]
                probabilities[index] = fold_adapter(take.probabilities, take.embeddings)
            done += 1
            share = _EMBEDDING_SHARE + (1 - _EMBEDDING_SHARE) * done / steps
            seconds_left = (time.monotonic() - began) / done * (len(folds) + 1 - done % (len(folds) + 1))
            step = "comparing with the present model"
            event({"event": "progress", "share": round(share, 3), "what": step, "seconds_left": round(seconds_left, 1)})
        adapter = fit_adapter(clips, card, rehearsal.fit, scaled_caution)
        compared = compare_clips(clips, probabilities, card)
        cries = [clip for clip in compared if known_label(label_for_model(clip.label, labels)).crying]
        loses_cries = sum(clip.old.wakes for clip in cries) > sum(clip.new.wakes for clip in cries)
        if not loses_cries and not _harms_others(adapter, card, rehearsal):
            break
    effect = _effect_on_others("test", adapter, card, rehearsal)
    return Lesson(adapter, probabilities, how, effect, factor)


def _effect_on_others(side: str, adapter: Adapter, card: ModelCard, rehearsal: Rehearsal) -> dict[str, Any] | None:
    """See `rehearsal.everyone_else`; None where the rehearsal has no clips of this side."""
    held = rehearsal.held.get(side)
    return None if held is None else everyone_else(held, card, adapter(held.probabilities, held.embeddings))


def _harms_others(adapter: Adapter, card: ModelCard, rehearsal: Rehearsal) -> bool:
    return bool(refusal(_effect_on_others("validation", adapter, card, rehearsal)))


def _tolerated(clips: int) -> float:
    """The share of so many clips that may change for the worse."""
    return max(TOLERANCE, 1.5 / clips)


def refusal(effect: dict[str, Any] | None) -> str:
    """Why a model with this effect on everybody else must not be used; "" where nothing speaks against it."""
    if effect is None:
        return ""
    if effect["old_found"] is not None and effect["old_found"] - effect["new_found"] > _tolerated(effect["cries"]):
        return (
            f"It would find {effect['new_found']:.0%} of other babies' cries; the present model finds "
            f"{effect['old_found']:.0%}."
        )
    if effect["others_raised_old"] is not None and effect["others_raised_new"] - effect[
        "others_raised_old"
    ] > _tolerated(effect["others"]):
        return (
            f"It would wake somebody for {effect['others_raised_new']:.0%} of other homes' sounds; the present model "
            f"for {effect['others_raised_old']:.0%}."
        )
    return ""


def folds_of(clips: Sequence[EmbeddedClip]) -> tuple[list[Fold], str]:
    """Divide clips into at most five folds of whole groups; clips of a single group are divided by clip.

    Returns the folds, and how clips were held out in a sentence for a person.
    """
    groups = sorted({(clip.label, clip.group) for clip in clips})
    order = list(dict.fromkeys(group for _, group in groups))
    indices = range(len(clips))
    if len(clips) == 1:
        return [Fold((0,), (0,))], "There is one clip only, and the model has learnt it: this says nothing yet."
    if len(order) == 1:
        parts = [tuple(indices[first::FOLDS]) for first in range(min(FOLDS, len(clips)))]
        how = (
            "All clips are of one recording: each was judged by a model taught with others of the same recording, "
            "which looks better than it is."
        )
    else:
        count = min(FOLDS, len(order))
        fold_of = {group: number % count for number, group in enumerate(order)}
        parts = [tuple(index for index in indices if fold_of[clips[index].group] == fold) for fold in range(count)]
        how = (
            f"Each clip was judged by a model taught without its recording or night ({counted(len(order), 'group')}, "
            f"{count} times anew)."
        )
    return [Fold(part, tuple(index for index in indices if index not in set(part))) for part in parts], how


def reason_figures(clips: Sequence[ComparedClip], card: ModelCard) -> dict[str, Any] | None:
    """How well the new model tells apart the reasons for crying that a home named; None for fewer than two.

    Balanced accuracy with its interval over groups, and ``chance``, as `ModelCard.tells_reasons` reads them.
    """
    from trainer.evaluation.summary import figures_of

    cries = [clip for clip in clips if clip.label in card.labels and known_label(clip.label).crying]
    cries = [clip for clip in cries if clip.label != UNCLEAR]
    names = [name for name in card.labels if any(clip.label == name for clip in cries)]
    if len(names) < 2:
        return None
    rows = np.array([[clip.new.probabilities[name] for name in names] for clip in cries]) + 1e-9
    truth = np.array([names.index(clip.label) for clip in cries])
    groups = np.array([clip.group for clip in cries])
    figures = figures_of(rows / rows.sum(1, keepdims=True), truth, groups, names)
    return {name: figures[name] for name in ("balanced_accuracy", "chance", "labels")}


def compare_clips(clips: Sequence[EmbeddedClip], new: Sequence[Any], card: ModelCard) -> list[ComparedClip]:
    """The clips with the verdicts of the old model and those that new probabilities, (N, labels) each, give."""

    def verdict(clip: EmbeddedClip, probabilities: Any) -> ClipVerdict:
        return verdict_of(probabilities, clip.takes[0].sounds, clip.ends, clip.level_db, card)

    return [
        ComparedClip(
            clip.path, clip.group, clip.label, clip.seconds, verdict(clip, clip.takes[0].probabilities),
            verdict(clip, rows),
        )
        for clip, rows in zip(clips, new, strict=True)
    ]  # fmt: skip
