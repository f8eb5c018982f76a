"""Judge listeners by what was left out of their training: clips, nights and sounds played alone, the same for all.

A listener is a model file on the monitor's own grid, or YAMNet. What each of them says of each sound is cached by the
content of its file and of the sound, so that another run with one more model listens with that model alone.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.sound.wave import Wave
from trainer.errors import DataError, existing
from trainer.evaluation.answer_cache import AnswerCache, Sound, hash_of, origin_of
from trainer.evaluation.judgements import training_overlap
from trainer.evaluation.left_out_figures import (
    PlannedNight,
    PlayedNight,
    alone_figures,
    clip_figures,
    curve,
    nights_figures,
)
from trainer.evaluation.left_out_material import BEDS, LOUD, Material, gather
from trainer.evaluation.listeners import Listener, Ours, YamnetListener
from trainer.evaluation.night_composer import SNRS_DB, ComposedNight
from trainer.evaluation.night_outcomes import best_start, rules_at
from trainer.model_file.sealed_file import rewrite_card

EPISODES_PER_HOUR = 30.0
_LOUD_SHARE = 0.5
"""A night at 0 dB is half as long as the others."""
_BATCH = 100
"""Clips that one process takes at once."""


@dataclass(frozen=True, slots=True)
class LeftOutRequest:
    """What is judged by what.

    patterns: as in `trainer.data.sound_kinds.left_out`. hours: of each bed. beds: their names; none for all. set_start:
    judge the first model at the start threshold that is best by `night_outcomes.best_start`, not at its card's.
    """

    models: tuple[Path, ...]
    yamnet: Path | None
    data: Path
    patterns: tuple[str, ...]
    cache: Path
    hours: float = 1.0
    seed: int = 1
    processes: int = 2
    beds: tuple[str, ...] = ()
    set_start: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    """Sounds that one process plays to all listeners."""

    title: str
    sounds: tuple[Sound, ...]


class _Workplace:
    """Material, listeners and jobs of a request: each process has its own, and all are the same."""

    def __init__(self, request: LeftOutRequest) -> None:
        self.material = gather(request.data, request.patterns, request.cache)
        self.listeners = _listeners(request)
        self.cache = AnswerCache(request.cache / "left-out", notice=lambda sentence: None)
        self.nights = _composed(self.material, request)
        origin = origin_of(self.material.stock)
        self.night_jobs = [
            _Job(f"night {plan.name}", (Sound(_night_key(origin, plan, night, request.seed), _blocks(night)),))
            for plan, night in self.nights
        ]
        self.clip_jobs = {
            name: _batches(name, [self.material.sound(piece) for piece in (*clips.cries, *clips.others)])
            for name, clips in self.material.clip_sets.items()
        }
        alone = [piece for members in self.material.alone.values() for piece in members]
        self.alone_jobs = _batches("alone", [self.material.in_quiet(piece) for piece in alone])
        # The longest first, so that no process is left with one at the end.
        self.jobs = [*self.night_jobs, *chain.from_iterable(self.clip_jobs.values()), *self.alone_jobs]

    def listen(self, number: int) -> str:
        """Do a job: afterwards its answers are cached. Returns its title."""
        job = self.jobs[number]
        self.cache.scores(job.title, job.sounds, self.listeners)
        return job.title

    def missing(self) -> list[int]:
        """The jobs with answers that are not cached yet."""
        return [
            number
            for number, job in enumerate(self.jobs)
            if not self.cache.holds(job.title, job.sounds, self.listeners)
        ]

    def answers(self, jobs: Iterable[_Job]) -> dict[str, list[Any]]:
        """The scores of all sounds of these jobs, by listener."""
        collected: dict[str, list[Any]] = {listener.name: [] for listener in self.listeners}
        for job in jobs:
            for name, scores in self.cache.scores(job.title, job.sounds, self.listeners).items():
                collected[name] += scores
        return collected


def _listeners(request: LeftOutRequest) -> list[Listener]:
    """The models, named by their files, and YAMNet. Raises ModelError or DataError for a file that cannot be used."""
    stems = [path.stem for path in request.models]
    names = [
        stem if stems.count(stem) == 1 else f"{path.parent.name}/{stem}"
        for path, stem in zip(request.models, stems, strict=True)
    ]
    names = [name if names.count(name) == 1 else f"{name} {number}" for number, name in enumerate(names, start=1)]
    listeners: list[Listener] = [Ours(existing(path), name) for path, name in zip(request.models, names, strict=True)]
    return listeners + ([YamnetListener(request.yamnet)] if request.yamnet else [])


def _composed(material: Material, request: LeftOutRequest) -> list[tuple[PlannedNight, ComposedNight]]:
    """The nights of all beds that there is sound for; for some beds one more, with cries as loud as the bed alone."""
    beds = {bed.name: bed for bed in BEDS}
    unknown = [name for name in request.beds if name not in beds]
    if unknown:
        raise DataError(f"There is no bed '{unknown[0]}'; there is {', '.join(beds)}.")
    names = request.beds or tuple(beds)
    plans = [PlannedNight(name, name, request.hours, SNRS_DB, EPISODES_PER_HOUR) for name in names]
    plans += [
        PlannedNight(f"{name} at 0 dB", name, _LOUD_SHARE * request.hours, (0.0,), EPISODES_PER_HOUR, at_0_db=True)
        for name in names
        if name in LOUD
    ]
    composed = []
    for plan in plans:
        per_hour = max(plan.per_hour, 1 / plan.hours)
        night = ComposedNight(beds[plan.bed], material.stock, plan.hours, request.seed, plan.snrs_db, per_hour)
        if night.possible:
            composed.append((plan, night))
    return composed


def _night_key(origin: str, plan: PlannedNight, night: ComposedNight, seed: int) -> str:
    bed = night.background
    planned = (plan.bed, plan.hours, plan.snrs_db, plan.per_hour, seed)
    return hash_of(origin, planned, bed.level_db, bed.gap_seconds, bed.nearer_db)


def _batches(title: str, sounds: Sequence[Sound]) -> list[_Job]:
    return [_Job(title, tuple(sounds[first : first + _BATCH])) for first in range(0, len(sounds), _BATCH)]


def _blocks(night: ComposedNight) -> Callable[[], Iterable[Wave]]:
    return lambda: night.blocks()


_workplace: _Workplace | None = None


def _open(request: LeftOutRequest) -> None:
    """Begin a process that listens. It ends when the one that began it does, however that ends."""
    global _workplace
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _workplace = _Workplace(request)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _listen(number: int) -> str:
    assert _workplace is not None
    return _workplace.listen(number)


def judge_left_out(request: LeftOutRequest, progress: Callable[[str], None] = lambda sentence: None) -> dict[str, Any]:
    """Judge every listener of a request; returns plain values fit for JSON.

    Raises DataError where a pattern matches nothing, nothing cries, or a file is missing; ModelError for an unusable
    model.
    """
    workplace = _Workplace(request)
    _hear_everything(workplace, request, progress)
    material, listeners = workplace.material, workplace.listeners
    progress("working out the figures …")
    clip_answers = {name: workplace.answers(jobs) for name, jobs in workplace.clip_jobs.items()}
    alone_answers = workplace.answers(workplace.alone_jobs)
    night_answers = workplace.answers(workplace.night_jobs)
    played = [
        PlayedNight(plan, night, {name: scores[number] for name, scores in night_answers.items()})
        for number, (plan, night) in enumerate(workplace.nights)
    ]
    operating_curve = curve(played, listeners[0])
    if request.set_start:
        listeners[0].rules = rules_at(listeners[0].rules, best_start(operating_curve))
    corpus_of = {clip.group: material.corpora[clip.path] for clip in material.cries}
    nights = nights_figures(played, listeners, corpus_of)
    return {
        "event": "left_out",
        "data": str(request.data),
        "leave_out": list(request.patterns),
        "request": {"hours": request.hours, "seed": request.seed, "episodes_per_hour": EPISODES_PER_HOUR},
        "listeners": [_about(listener, material) for listener in listeners],
        "clips": clip_figures(material, clip_answers, listeners),
        "nights": nights,
        "operating_curve": operating_curve,
        "alone": alone_figures(material, alone_answers, listeners, nights),
    }


def _hear_everything(workplace: _Workplace, request: LeftOutRequest, progress: Callable[[str], None]) -> None:
    """Have every answer cached."""
    missing = workplace.missing()
    processes = min(request.processes, len(missing))
    if processes <= 1:
        for done, number in enumerate(missing, start=1):
            progress(f"{done} of {len(missing)}: {workplace.listen(number)}")
        return
    # Spawned, not forked: the networks' libraries have threads of their own.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _open, (request,)) as pool:
        try:
            for done, future in enumerate(as_completed([pool.submit(_listen, number) for number in missing]), start=1):
                progress(f"{done} of {len(missing)}: {future.result()}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _about(listener: Listener, material: Material) -> dict[str, Any]:
    about: dict[str, Any] = {"name": listener.name, "file": listener.file.name, "key": listener.key}
    about["start"], about["minimum_seconds"] = listener.rules.start_threshold, listener.rules.minimum_seconds
    if isinstance(listener, Ours):
        card = listener.classifier.card
        about |= {"kind": "model", "family": card.family, "hop_seconds": card.hop_seconds}
        about["cries_met"] = training_overlap(card, material.cries)
        about["others_met"] = training_overlap(card, material.others)
    else:
        about |= {"kind": "yamnet", "hop_seconds": listener.hop / 16000}
    return about


def tell_model(model: Path, report: dict[str, Any]) -> None:
    """Write what the report says of its first model into its card: thresholds, operating curve, figures in brief."""
    card = Classifier(model).card
    name = report["listeners"][0]["name"]
    shipped = report["nights"]["listeners"][name]["shipped"]
    start = float(shipped["start"])
    end = round(start * card.thresholds["end"] / card.thresholds["start"], 4)
    figures = {
        "clips": {kind: clips["listeners"][name]["all"] for kind, clips in report["clips"]["sets"].items()},
        "nights": {key: shipped["all"][key] for key in ("episodes", "caught_share", "false_alarms_per_hour")},
        "leave_out": report["leave_out"],
    }
    rewrite_card(
        model,
        thresholds={**card.thresholds, "start": start, "end": end},
        operating_curve=report["operating_curve"],
        metrics={**card.metrics, "left_out": figures},
    )
