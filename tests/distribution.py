"""How the tests are dealt out to several processes: what stays together, and what begins first."""

from __future__ import annotations

from collections import defaultdict

import pytest
from xdist.scheduler import LoadScopeScheduling

LIBROSA = (
    "tests/core/model/test_features.py",
    "tests/benchmarks/test_hearing.py",
    "tests/trainer/labelling/test_cry_segments.py",
)
"""Files that use librosa: numba compiles it for 18 s in each process that does, so they share a process."""

SEPARATE = (
    "tests/endtoend/",
    "tests/live/test_sound_card.py",
    "tests/live/test_trainer_process.py",
    "tests/terminal/test_watch.py",
    "tests/trainer/test_trained_families.py",
)
"""Slow files whose tests share nothing: each test may run in another process. Any other file stays in one."""

WAITING = ("tests/endtoend/", "tests/live/test_sound_card.py")
"""Tests in real time, which mostly wait. They are dealt in turn with the others, so that no core stands idle."""

FIRST = (
    "tests/endtoend/test_recording.py::test_a_cry_too_short_to_wake_anybody_is_a_near_miss_to_review",
    "tests/endtoend/test_night.py::test_one_baby_after_the_other_is_heard_in_time",
    "tests/endtoend/test_story.py::test_recorded_labelled_taught_compared_swapped_and_heard",
    "tests/endtoend/test_night.py",
    "tests/endtoend/test_story.py",
    "librosa",
    "tests/trainer/training/test_interrupted.py",
    "tests/trainer/home/test_teach.py",
    "tests/trainer/networks/test_families.py",
    "tests/trainer/labelling/test_yamnet_teacher.py",
    "tests/live/test_trainer_process.py::test_a_full_training_is_cancelled_resumed_and_compared",
    "tests/terminal/test_watch.py::test_a_long_file_read_fast_gives_the_alerts_of_the_live_path",
    "tests/terminal/test_predict.py",
    "tests/trainer/networks/test_classical.py",
    "tests/trainer/training/test_compare_families.py",
    "tests/core/library/test_library_crashes.py",
    "tests/trainer/test_trained_families.py",
    "tests/trainer/evaluation/test_nights.py",
    "tests/live/test_torch_conversion.py",
    "tests/ui/pages/train/test_train_page.py",
    "tests/trainer/model_file/test_ensemble.py",
    "tests/trainer/training/test_train.py",
    "tests/ui/pages/label/test_label_page.py",
    "tests/trainer/",
    "tests/terminal/",
)
"""What takes long begins early, longest first; a name stands for all that begins with it."""


def scope_of(nodeid: str) -> str:
    """The name of what a test must share a process with: its file, several files, or nothing but itself."""
    file = nodeid.partition("::")[0]
    if file in LIBROSA:
        return "librosa"
    return nodeid if file.startswith(SEPARATE) else file


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests scope by scope, the longest first, waiting and computing in turn."""
    scopes: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        scopes[scope_of(item.nodeid)].append(item)

    def rank(scope: str) -> int:
        return next((place for place, name in enumerate(FIRST) if scope.startswith(name)), len(FIRST))

    names = sorted(scopes, key=rank)
    waiting = [name for name in names if name.startswith(WAITING)]
    computing = [name for name in names if not name.startswith(WAITING)]
    shorter = min(len(waiting), len(computing))
    in_turn = [name for pair in zip(computing, waiting, strict=False) for name in pair]
    return [item for name in (*in_turn, *waiting[shorter:], *computing[shorter:]) for item in scopes[name]]


class Scheduling(LoadScopeScheduling):
    """Hands one scope after the other, in their order, to the process that is free next."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
