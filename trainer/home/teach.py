"""Teaching a model one home: the caregiver's own clips, in seconds, without forgetting anybody else's baby.

The network stays as it is; what is learnt is an adapter behind it (`trainer.home.adapter`), fitted on its embeddings of
the clips (`trainer.home.adapter_fit`) beside those of other people's babies (`trainer.home.rehearsal`). How good that
is, is told of groups (recordings, nights) that a fit has not seen, and it is fitted more cautiously while it does any
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
from trainer.home.adapter import Adapter, Body, Floats, in_threads
from trainer.home.adapter_fit import Caution, fitted, told_label, unprojected
from trainer.home.clip_embeddings import Heard, listen
from trainer.home.old_and_new import Answer, Compared, answer_of
from trainer.home.rehearsal import Rehearsal, everyone_else

Event = Callable[[dict[str, Any]], None]

FOLDS = 5
CAUTIONS = (1.0, 4.0, 16.0)
"""By how much more cautiously it is fitted again while it does harm."""
TOLERANCE = 0.02
"""The share of everybody else's cries that may be lost, and of their other sounds that may be raised, no more."""
_LISTENING = 0.85
_VIEWS = 150
"""Altered takes of all clips together: the fewer the clips, the more of each, up to `_MOST_COPIES`."""
_MOST_COPIES = 3


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be taught. model: the one in use; taught before, it is taken back to what it was taught from. data:
    the library, or any data set. comparison: where what it is worth is written.
    """

    model: Path
    data: Roots
    output: Path
    comparison: Path | None = None
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Fold:
    """Clips (indices) that are judged by what the others teach."""

    judged: tuple[int, ...]
    learnt: tuple[int, ...]


def teach(request: Request, event: Event = lambda values: None) -> dict[str, Any]:
    """Write the taught model and its comparison; → the comparison. DataError for what cannot be taught."""
    if request.output.suffix != ".onnx":
        raise DataError(f"A model file is called NAME.onnx; {request.output.name} is not.")
    body = Body(request.model)
    clips, files = _library(request.data, body.card)
    met = sorted({group_hash(name) for clip in clips for name in (clip.group, clip.own_group)})
    clips = with_joined_groups(clips, files)
    labels = Counter(clip.spans[0].label for clip in clips)
    groups = len({clip.group for clip in clips})
    event({"event": "started", "model": body.card.name, "clips": len(clips), "groups": groups, "labels": dict(labels)})
    rehearsal = _rehearsal_for(body, request.model)
    if rehearsal.is_made:
        sentence = "There is no rehearsal file for this model: what it does to other babies cannot be told."
        event({"event": "warning", "sentence": sentence})
    heard = _heard(body, rehearsal, clips, files, request.threads, event)
    if not heard:
        raise DataError("None of the clips could be read.")
    lesson = learn(heard, body.card, rehearsal, event)
    told = {
        "clips": len(heard),
        "groups": len({one.group for one in heard}),
        "labels": dict(Counter(one.label for one in heard)),
        "caution": lesson.caution,
        "met": met,
    }
    card = body.write(request.output, unprojected(lesson.adapter, rehearsal.projection), told)
    report = old_and_new.comparison(
        compared(heard, lesson.answers, body.card), (body.card, card), (request.model, request.output), lesson.how,
        lesson.everyone_else,
    )  # fmt: skip
    report["refused"] = old_and_new.refusal(report) or refusal(lesson.everyone_else)
    if request.comparison is not None:
        old_and_new.write(request.comparison, report)
    return report


def metrics_of(report: dict[str, Any]) -> dict[str, Any]:
    """The figures of a comparison that fit into a line."""
    return {
        "balanced_accuracy": report["balanced_accuracy"]["new"]["value"],
        "balanced_accuracy_before": report["balanced_accuracy"]["old"]["value"],
        "cries": report["cries"],
        "others": report["others"],
    }


def _library(data: Roots, card: ModelCard) -> tuple[list[Clip], dict[str, Path]]:
    """The clips that have one label, and where they lie."""
    whole = load(data)
    clips = [clip for clip in whole.clips if clip.usable and len({span.label for span in clip.spans}) == 1]
    if "background" not in card.labels:
        clips = [clip for clip in clips if clip.spans[0].label in card.labels]
    if not clips:
        raise DataError(f"{whole} holds no clip that this model could be taught.")
    return clips, {clip.path: whole.file(clip.path) for clip in clips}


def _rehearsal_for(body: Body, model: Path) -> Rehearsal:
    """The model's own, from beside it, beside the program's own model, or the run that it was trained in."""
    folders = [model.parent, paths.default_model().parent, paths.models_folder()]
    folders += sorted((one for one in paths.runs_folder().glob("*") if one.is_dir()), reverse=True)
    return rehearsals.found(body.sha256, folders) or rehearsals.made(body)


def _heard(
    body: Body, rehearsal: Rehearsal, clips: Sequence[Clip], files: dict[str, Path], threads: int, event: Event
) -> list[Heard]:
    copies = int(np.clip(_VIEWS // len(clips), 1, _MOST_COPIES))

    def one(clip: Clip) -> Heard | str:
        try:
            wave = read_wave(files[clip.path], body.card.features.sample_rate)
        except AudioError as error:
            return str(error)
        if wave.size < body.card.features.n_fft:
            return f"{clip.path} is too short to be taught."
        seed = (stable_random(clip.path, "teach"),)
        path, name = str(files[clip.path]), clip.spans[0].label
        return listen(body, rehearsal.projection, wave, path, clip.group, name, copies, seed)

    began, shown, heard = time.monotonic(), 0.0, []
    what = f"listening to {counted(len(clips), 'clip')}"
    for done, result in enumerate(in_threads(one, clips, threads), start=1):
        if isinstance(result, Heard):
            heard.append(result)
        else:
            event({"event": "warning", "sentence": result})
        now = time.monotonic()
        if now - shown > 0.25 or done == len(clips):
            shown = now
            left = (now - began) / done * (len(clips) - done) / _LISTENING
            share = round(_LISTENING * done / len(clips), 3)
            event({"event": "progress", "share": share, "what": what, "seconds_left": round(left, 1)})
    return heard


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learnt: the adapter of projected embeddings, and of each clip the answers (N, labels) of an adapter that
    was fitted without its group. caution: times the usual.
    """

    adapter: Adapter
    answers: list[Floats]
    how: str
    everyone_else: dict[str, Any] | None
    caution: float


def learn(
    heard: Sequence[Heard],
    card: ModelCard,
    rehearsal: Rehearsal,
    event: Event = lambda values: None,
    caution: Caution | None = None,
) -> Lesson:
    """Fit, as boldly as does no harm to the library's own cries (judged by what the other groups teach) nor to those
    of the rehearsal's validation side.
    """
    folds, how = folds_of(heard)
    caution, labels = caution or Caution(), card.labels
    began = time.monotonic()
    steps, done = len(CAUTIONS) * (len(folds) + 1), 0
    adapter, factor = Adapter.untaught(labels, 0), CAUTIONS[0]
    answers: list[Floats] = []
    for factor in CAUTIONS:
        careful = caution.times(factor)
        answers = [one.takes[0].given for one in heard]
        for fold in folds:
            one = fitted([heard[at] for at in fold.learnt], labels, rehearsal.fit, careful)
            for at in fold.judged:
                view = heard[at].takes[0]
                answers[at] = one(view.given, view.embeddings)
            done += 1
            share = _LISTENING + (1 - _LISTENING) * done / steps
            left = (time.monotonic() - began) / done * (len(folds) + 1 - done % (len(folds) + 1))
            what = "comparing with the present model"
            event({"event": "progress", "share": round(share, 3), "what": what, "seconds_left": round(left, 1)})
        adapter = fitted(heard, labels, rehearsal.fit, careful)
        pairs = compared(heard, answers, card)
        cries = [one for one in pairs if known_label(told_label(one.label, labels)).crying]
        loses = sum(one.old.wakes for one in cries) > sum(one.new.wakes for one in cries)
        if not loses and not _harms(adapter, card, rehearsal):
            break
    told = None
    if "test" in rehearsal.held:
        held = rehearsal.held["test"]
        told = everyone_else(held, card, adapter(held.given, held.embeddings))
    return Lesson(adapter, answers, how, told, factor)


def _harms(adapter: Adapter, card: ModelCard, rehearsal: Rehearsal) -> bool:
    if "validation" not in rehearsal.held:
        return False
    held = rehearsal.held["validation"]
    told = everyone_else(held, card, adapter(held.given, held.embeddings))
    return bool(refusal(told))


def refusal(told: dict[str, Any] | None) -> str:
    """Why a model that does this to everybody else is not to be used; "" where nothing speaks against it."""
    if told is None:
        return ""
    if told["old_found"] is not None and told["new_found"] < told["old_found"] - TOLERANCE:
        return (
            f"It would find {told['new_found']:.0%} of other babies' cries; the present model finds "
            f"{told['old_found']:.0%}."
        )
    if told["others_raised_old"] is not None and told["others_raised_new"] > told["others_raised_old"] + TOLERANCE:
        return (
            f"It would wake somebody for {told['others_raised_new']:.0%} of other homes' sounds; the present model "
            f"for {told['others_raised_old']:.0%}."
        )
    return ""


def folds_of(heard: Sequence[Heard]) -> tuple[list[Fold], str]:
    """Whole groups held out in turn, at most five times; of one group alone its clips. → the folds, how in words."""
    groups = sorted({(one.label, one.group) for one in heard})
    order = list(dict.fromkeys(group for _, group in groups))
    everything = range(len(heard))
    if len(heard) == 1:
        return [Fold((0,), (0,))], "There is one clip only, and the model has learnt it: this says nothing yet."
    if len(order) == 1:
        parts = [tuple(everything[first::FOLDS]) for first in range(min(FOLDS, len(heard)))]
        how = (
            "All clips are of one recording: each was judged by a model taught with others of the same recording, "
            "which looks better than it is."
        )
    else:
        count = min(FOLDS, len(order))
        fold_of = {group: at % count for at, group in enumerate(order)}
        parts = [tuple(at for at in everything if fold_of[heard[at].group] == fold) for fold in range(count)]
        how = (
            f"Each clip was judged by a model taught without its recording or night ({counted(len(order), 'group')}, "
            f"{count} times anew)."
        )
    return [Fold(part, tuple(at for at in everything if at not in set(part))) for part in parts], how


def compared(heard: Sequence[Heard], answers: Sequence[Any], card: ModelCard) -> list[Compared]:
    """The clips with the old model's answers and with these, (N, labels) each."""

    def answer(one: Heard, rows: Any) -> Answer:
        return answer_of(rows, one.ends, one.level_db, card)

    return [
        Compared(one.path, one.group, one.label, one.seconds, answer(one, one.takes[0].given), answer(one, rows))
        for one, rows in zip(heard, answers, strict=True)
    ]
