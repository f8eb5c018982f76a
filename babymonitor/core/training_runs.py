"""Trainings on disk: one folder each, with what was asked for, what it told, how it ended, and its model.

A folder holds `request.json` and `state.json`, and as it goes on `events.jsonl` (what the trainer told), `log.txt`
(what else it printed), `model.onnx` and `comparison.json`. Whatever is killed at whatever moment, the next start finds
in `state.json` either how it ended or that it was running, and then says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from babymonitor.core import paths
from babymonitor.core.messages import Code, PersonError, message
from babymonitor.core.settings import replace_file

TEACH, FULL = "teach", "full"
RUNNING, FINISHED, CANCELLED, FAILED, INTERRUPTED = "running", "finished", "cancelled", "failed", "interrupted"
_STATES = (RUNNING, FINISHED, CANCELLED, FAILED, INTERRUPTED)
_COMPARISON_FORMAT = 1
KEPT_RUNS = 30

_own: set[Path] = set()
"""Folders of runs that this process began or resumed: they are no other program's legacy."""


class RunError(PersonError):
    """A training that cannot be begun or read; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the trainer.

    kind: ``teach`` or ``full``. model: the one in use, which is taught and compared with. data: folders, the library
    first. family, options: of a full training; options as the command line has them, value by name.
    """

    kind: str
    model: Path
    data: tuple[Path, ...]
    family: str = ""
    options: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "model": str(self.model),
            "data": [str(path) for path in self.data],
            "family": self.family,
            "options": self.options,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Request:
        """ValueError, KeyError or TypeError for what is none."""
        if values["kind"] not in (TEACH, FULL):
            raise ValueError(values["kind"])
        data = tuple(Path(path) for path in values["data"])
        options = {str(name): str(value) for name, value in dict(values["options"]).items()}
        return cls(str(values["kind"]), Path(values["model"]), data, str(values["family"]), options)


@dataclass(frozen=True, slots=True)
class Run:
    """One training. state: running, finished, cancelled, failed or interrupted (the program died with it).

    sentence: how it ended, for a person. began: Unix seconds. trainer: the process of it, 0 while there is none.
    """

    folder: Path
    request: Request
    state: str
    sentence: str
    began: float
    trainer: int = 0

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def model(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def comparison(self) -> Path:
        return self.folder / "comparison.json"

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "model.checkpoint"

    def remove_checkpoints(self) -> None:
        """It is finished: nothing has to go on from them. OSError."""
        for path in self.folder.glob("model*.checkpoint"):
            path.unlink(missing_ok=True)

    @property
    def has_model(self) -> bool:
        return self.state == FINISHED and self.model.is_file()

    @property
    def is_undecided(self) -> bool:
        """Whether it made a model of which the person has not said yet if it is to be used."""
        return self.has_model and not self._decision.exists()

    @property
    def _decision(self) -> Path:
        return self.folder / "decided"

    def decide(self) -> None:
        """The person has: it is not offered any more. A disk that refuses has it offered again."""
        if self.has_model:
            with contextlib.suppress(OSError):
                self._decision.touch()

    @property
    def is_resumable(self) -> bool:
        """Whether a full training can go on where it stopped."""
        stopped = self.state in (CANCELLED, FAILED, INTERRUPTED)
        return self.request.kind == FULL and stopped and self.checkpoint.is_file()

    def commands(self, resume: bool = False) -> list[list[str]]:
        """What the trainer is asked, one command after the other; on one thread, for the monitor listens meanwhile."""
        data = [word for path in self.request.data for word in ("--data", str(path))]
        old, new, comparison = str(self.request.model), str(self.model), str(self.comparison)
        if self.request.kind == TEACH:
            words = ["--model", old, *data, "--output", new, "--comparison", comparison, "--threads", "1", "--json"]
            return [["teach", *words]]
        cache = ["--cache", str(paths.data_folder() / "cache" / "waves")]
        options = []
        for name, value in self.request.options.items():
            options += [f"--{name}"] if value == "" else [f"--{name}", value]
        train = ["train", *data, *cache, "--family", self.request.family, "--output", new, "--rehearsal", *options]
        train += ["--threads", "1", "--workers", "0", "--json", *(["--resume"] if resume else [])]
        sides = _sides(self.request.options)
        judge = ["versus", "--old", old, "--new", new, *data, *cache, *sides]
        return [train, [*judge, "--side", "test", "--comparison", comparison, "--json"]]


def _sides(options: dict[str, str]) -> list[str]:
    """The options that say who stands on which side: the comparison must hold out whom the training held out."""
    names = ("shares", "sides", "folds", "fold", "segments")
    return [word for name in names if name in options for word in (f"--{name}", options[name])]


def begin(request: Request, now: float | None = None) -> Run:
    """A new run, which is running from now on. RunError when the disk does not take it."""
    now = time.time() if now is None else now
    stem = time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(now)) + f"_{request.kind}"
    try:
        root = paths.runs_folder()
        folder, number = root / stem, 2
        while folder.exists():
            folder, number = root / f"{stem}-{number}", number + 1
        folder.mkdir()
        run = Run(folder, request, RUNNING, "", now)
        _write(folder / "request.json", request.to_dict())
        mark(run, RUNNING)
    except OSError as error:
        raise RunError(Code.TRAINING_CANNOT_BE_WRITTEN, reason=error.strerror or str(error)) from error
    return run


def mark(run: Run, state: str, sentence: str = "", trainer: int = 0) -> Run:
    """Write down how it is with a run; → the run as it is now. OSError."""
    if state == RUNNING:
        _own.add(run.folder)
    values = {"state": state, "sentence": sentence, "began": run.began, "trainer": trainer}
    _write(run.folder / "state.json", values)
    return replace(run, state=state, sentence=sentence, trainer=trainer)


def all_runs() -> list[Run]:
    """Every run that can be read, the newest first."""
    found = []
    with contextlib.suppress(OSError):
        for folder in paths.runs_folder().iterdir():
            run = read(folder)
            if run is not None:
                found.append(run)
    return sorted(found, key=_age, reverse=True)


def _age(run: Run) -> tuple[float, str]:
    return run.began, run.name


def read(folder: Path) -> Run | None:
    """The run of a folder; None for one that is none, or that was killed before anything was said of it."""
    try:
        request = Request.from_dict(_read(folder / "request.json"))
        values = _read(folder / "state.json")
        state, sentence = str(values["state"]), str(values["sentence"])
        if state not in _STATES:
            return None
        return Run(folder, request, state, sentence, float(values["began"]), int(values.get("trainer", 0)))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def left_running() -> list[Run]:
    """Runs that a program which is gone left running, now marked as interrupted. One program runs at a time."""
    found = []
    for run in all_runs():
        if run.state == RUNNING and run.folder not in _own:
            can_resume = run.request.kind == FULL and run.checkpoint.is_file()
            code = Code.TRAINING_INTERRUPTED_RESUMABLE if can_resume else Code.TRAINING_INTERRUPTED
            with contextlib.suppress(OSError):
                found.append(mark(run, INTERRUPTED, message(code), run.trainer))
    return found


def prune(kept: int = KEPT_RUNS, needed: Iterable[Path] = ()) -> None:
    """Delete the oldest runs beyond the newest `kept`, but for those that hold one of the files `needed`."""
    inside = {path.parent for path in needed}
    for run in all_runs()[kept:]:
        if run.state != RUNNING and run.folder not in inside:
            shutil.rmtree(run.folder, ignore_errors=True)


def adopt(run: Run, folder: Path | None = None) -> Path:
    """Copy a finished run's model among the person's models, whole or not at all; → where. RunError."""
    folder = paths.models_folder() if folder is None else folder
    stem = f"taught-{run.name.rpartition('_')[0]}" if run.request.kind == TEACH else run.request.family
    if run.request.kind == FULL:
        stem += f"-{run.name.rpartition('_')[0]}"
    target = folder / f"{stem}.onnx"
    try:
        data = run.model.read_bytes()
        if not target.is_file() or target.read_bytes() != data:
            replace_file(target, data)
        for beside in run.folder.glob("model.rehearsal.npz"):
            replace_file(target.with_name(f"{stem}.rehearsal.npz"), beside.read_bytes())
    except OSError as error:
        raise RunError(Code.TRAINING_MODEL_NOT_TAKEN, reason=error.strerror or str(error)) from error
    return target


def read_comparison(path: Path) -> dict[str, Any]:
    """What old and new model say of the same clips. RunError where that cannot be read."""
    try:
        values = _read(path)
        needed = ("old", "new", "labels", "clips", "confusion", "per_label", "cries", "others", "worst", "refused")
        if values.get("format") != _COMPARISON_FORMAT or any(name not in values for name in needed):
            raise ValueError("format")
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(Code.TRAINING_COMPARISON_UNREADABLE) from error
    return values


def tail(path: Path, lines: int = 200) -> Sequence[str]:
    """The last lines of a log; none where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def is_alive(process: int) -> bool:
    """Whether there is such a process (POSIX; elsewhere, where asking would end it, never)."""
    if process <= 0 or os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _read(path: Path) -> dict[str, Any]:
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError(path.name)
    return values


def _write(path: Path, values: dict[str, Any]) -> None:
    replace_file(path, json.dumps(values, indent=2, ensure_ascii=False).encode())
