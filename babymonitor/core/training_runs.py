"""Trainings on disk: a folder for each, with its request, events, outcome and model.

A folder contains `request.json` and `state.json`, and later `events.jsonl` (the trainer's events), `log.txt` (its other
output), `model.onnx` and `comparison.json`. Whichever process is killed and when, the next start finds in `state.json`
either the outcome or that it was still running.
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
from babymonitor.core.whole_file import write_whole

TEACH, FULL = "teach", "full"
RUNNING, FINISHED, CANCELLED, FAILED, INTERRUPTED = "running", "finished", "cancelled", "failed", "interrupted"
_STATES = (RUNNING, FINISHED, CANCELLED, FAILED, INTERRUPTED)
_COMPARISON_FORMAT = 1
KEPT_RUNS = 30

_own: set[Path] = set()
"""Folders of runs that this process began or resumed, so they were not left by another program."""


class RunError(PersonError):
    """A training that cannot be begun or read."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the trainer.

    kind: ``teach`` or ``full``. model: the model in use, which is taught or compared with. data: folders, the library
    first. family, options: for a full training; options as on the command line, value by name.
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
        """Parse a request. Raises ValueError, KeyError or TypeError for anything else."""
        if values["kind"] not in (TEACH, FULL):
            raise ValueError(values["kind"])
        data = tuple(Path(path) for path in values["data"])
        options = {str(name): str(value) for name, value in dict(values["options"]).items()}
        return cls(str(values["kind"]), Path(values["model"]), data, str(values["family"]), options)


@dataclass(frozen=True, slots=True)
class Run:
    """A training.

    state: running, finished, cancelled, failed or interrupted (the program was killed). sentence: how it ended, for a
    person. began: Unix seconds. trainer: the trainer's process id, 0 if there is none.
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
        """The checkpoint to resume from."""
        return self.folder / "model.checkpoint"

    def remove_checkpoints(self) -> None:
        """Delete the checkpoints of a finished training. Raises OSError."""
        for path in self.folder.glob("model*.checkpoint"):
            path.unlink(missing_ok=True)

    @property
    def has_model(self) -> bool:
        return self.state == FINISHED and self.model.is_file()

    @property
    def is_undecided(self) -> bool:
        """Whether it produced a model that the person has neither taken into use nor declined."""
        return self.has_model and not self._decision.exists()

    @property
    def _decision(self) -> Path:
        return self.folder / "decided"

    def decide(self) -> None:
        """Record the person's decision, so that the model is not offered again (it is if the disk refuses)."""
        if self.has_model:
            with contextlib.suppress(OSError):
                self._decision.touch()

    @property
    def is_resumable(self) -> bool:
        """Whether a full training can continue where it stopped."""
        stopped = self.state in (CANCELLED, FAILED, INTERRUPTED)
        return self.request.kind == FULL and stopped and self.checkpoint.is_file()

    def commands(self, resume: bool = False) -> list[list[str]]:
        """The trainer's command lines, in order; single-threaded, because the monitor listens meanwhile."""
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
        compare = ["versus", "--old", old, "--new", new, *data, *cache, *sides]
        return [train, [*compare, "--side", "test", "--comparison", comparison, "--json"]]


def _sides(options: dict[str, str]) -> list[str]:
    """The options that define the split: the comparison must use the groups that the training held out."""
    names = ("shares", "sides", "folds", "fold", "segments")
    return [word for name in names if name in options for word in (f"--{name}", options[name])]


def begin(request: Request, now: float | None = None) -> Run:
    """Create a run in state ``running``. Raises RunError if it cannot be written to disk."""
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
    """Store the state of a run; returns the updated run. Raises OSError."""
    if state == RUNNING:
        _own.add(run.folder)
    values = {"state": state, "sentence": sentence, "began": run.began, "trainer": trainer}
    _write(run.folder / "state.json", values)
    return replace(run, state=state, sentence=sentence, trainer=trainer)


def all_runs() -> list[Run]:
    """Every run that can be read, newest first."""
    runs = []
    with contextlib.suppress(OSError):
        for folder in paths.runs_folder().iterdir():
            run = read(folder)
            if run is not None:
                runs.append(run)
    return sorted(runs, key=_age, reverse=True)


def _age(run: Run) -> tuple[float, str]:
    return run.began, run.name


def read(folder: Path) -> Run | None:
    """Read the run in a folder; None if there is none, or the program was killed before it was written."""
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
    """Mark runs that an earlier program left running as interrupted, and return them. One program runs at a time."""
    interrupted = []
    for run in all_runs():
        if run.state == RUNNING and run.folder not in _own:
            can_resume = run.request.kind == FULL and run.checkpoint.is_file()
            code = Code.TRAINING_INTERRUPTED_RESUMABLE if can_resume else Code.TRAINING_INTERRUPTED
            with contextlib.suppress(OSError):
                interrupted.append(mark(run, INTERRUPTED, message(code), run.trainer))
    return interrupted


def prune(keep: int = KEPT_RUNS, needed: Iterable[Path] = ()) -> None:
    """Delete all but the newest `keep` runs, except those that contain one of the files `needed`."""
    needed_folders = {path.parent for path in needed}
    for run in all_runs()[keep:]:
        if run.state != RUNNING and run.folder not in needed_folders:
            shutil.rmtree(run.folder, ignore_errors=True)


def adopt(run: Run, folder: Path | None = None) -> Path:
    """Copy a finished run's model to the person's models; returns its path. Raises RunError."""
    folder = paths.models_folder() if folder is None else folder
    stem = f"taught-{run.name.rpartition('_')[0]}" if run.request.kind == TEACH else run.request.family
    if run.request.kind == FULL:
        stem += f"-{run.name.rpartition('_')[0]}"
    target = folder / f"{stem}.onnx"
    try:
        data = run.model.read_bytes()
        if not target.is_file() or target.read_bytes() != data:
            write_whole(target, data)
        for rehearsal in run.folder.glob("model.rehearsal.npz"):
            write_whole(target.with_name(f"{stem}.rehearsal.npz"), rehearsal.read_bytes())
    except OSError as error:
        raise RunError(Code.TRAINING_MODEL_NOT_TAKEN, reason=error.strerror or str(error)) from error
    return target


def read_comparison(path: Path) -> dict[str, Any]:
    """Read the comparison of the old and the new model on the same clips. Raises RunError."""
    try:
        values = _read(path)
        needed = ("old", "new", "labels", "clips", "confusion", "per_label", "cries", "others", "worst", "refused")
        if values.get("format") != _COMPARISON_FORMAT or any(name not in values for name in needed):
            raise ValueError("format")
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(Code.TRAINING_COMPARISON_UNREADABLE) from error
    return values


def tail(path: Path, lines: int = 200) -> Sequence[str]:
    """The last lines of a log; empty if there is no log."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def is_alive(process: int) -> bool:
    """Whether a process exists. Always False on Windows, where `os.kill` would end it."""
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
    write_whole(path, json.dumps(values, indent=2, ensure_ascii=False))
