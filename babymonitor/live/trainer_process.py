"""The trainer as a separate process: single-threaded, at low priority, and harmless to the monitor if it dies."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, TextIO

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal, Slot

from babymonitor.core import paths
from babymonitor.core.messages import Code, message
from babymonitor.core.training_runs import CANCELLED, FAILED, FINISHED, FULL, Run, is_alive, left_running, mark

_log = logging.getLogger("babymonitor")

NICE = 10
"""How much the trainer's niceness exceeds the monitor's."""
_REFUSED_STATUS = 2
_END_MS = 3000
_LONGEST_LINE = 2000


def _process(parent: QObject) -> QProcess:
    process = QProcess(parent)
    environment = QProcessEnvironment.systemEnvironment()
    for name, value in paths.program()[1].items():
        environment.insert(name, value)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment.insert(name, "1")
    environment.insert("PYTHONUNBUFFERED", "1")
    process.setProcessEnvironment(environment)
    process.setStandardInputFile(QProcess.nullDevice())
    return process


def _start(process: QProcess, words: list[str]) -> None:
    program = paths.program()[0]
    process.start(program[0], [*program[1:], "trainer", *words])


def lower_priority(process: int) -> None:
    """Lower the priority of a process; does nothing if it has ended."""
    if sys.platform == "win32":
        below_normal, set_information = 0x4000, 0x0200
        handle = ctypes.windll.kernel32.OpenProcess(set_information, False, process)
        ctypes.windll.kernel32.SetPriorityClass(handle, below_normal)
        ctypes.windll.kernel32.CloseHandle(handle)
    else:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process, os.getpriority(os.PRIO_PROCESS, 0) + NICE)


def interrupted_runs() -> list[Run]:
    """Mark the runs that a program which is gone left running as interrupted, and end trainers that outlived it."""
    runs = left_running()
    for run in runs:
        end_orphan(run)
    return runs


def end_orphan(run: Run) -> None:
    """Kill a trainer that outlived the program that began it, but no other process that has its number now."""
    if not is_alive(run.trainer):
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if str(run.folder) in _command_line(run.trainer):
            os.kill(run.trainer, signal.SIGKILL)


def _command_line(process: int) -> str:
    proc_file = Path(f"/proc/{process}/cmdline")
    if proc_file.parent.is_dir():
        return proc_file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    command = ["ps", "-p", str(process), "-o", "args="]
    return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout


def _can_resume(run: Run) -> bool:
    return run.request.kind == FULL and run.checkpoint.is_file()


class TrainerProcess(QObject):
    """Runs one training at a time. Signals are emitted on the main thread, `ended` once per `start`."""

    event_arrived = Signal(dict)
    """An event of the trainer, a JSON object."""
    log_arrived = Signal(str)
    """A line of its other output."""
    ended = Signal(object, str, object)
    """core.training_runs.Run, its state, and a sentence (`Message`, or the trainer's own) on how it ended."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run: Run | None = None
        self._process: QProcess | None = None
        self._commands: list[list[str]] = []
        self._is_cancelled = False
        self._output, self._error_output = b"", b""
        self._last_line = ""
        self._events: TextIO | None = None
        self._log_file: TextIO | None = None
        self._kill_timer = QTimer(self)
        self._kill_timer.setSingleShot(True)
        self._kill_timer.setInterval(_END_MS)
        self._kill_timer.timeout.connect(self._on_kill_due)

    @property
    def is_running(self) -> bool:
        return self.run is not None

    @property
    def process_id(self) -> int:
        """The trainer's process id; 0 while it does not run."""
        return 0 if self._process is None else int(self._process.processId())

    def start(self, run: Run, resume: bool = False) -> None:
        """Begin or resume a run; ignored while another one is running."""
        if self.run is not None:
            return
        self.run = run
        self._is_cancelled = False
        self._last_line = ""
        self._commands = run.commands(resume)
        try:
            # Both files stay open until the run ends.
            self._events = run.events.open("a", encoding="utf-8")
            self._log_file = run.log.open("a", encoding="utf-8")
            run.comparison.unlink(missing_ok=True)
            self.run = mark(run, "running")
        except OSError as error:
            self._end(FAILED, message(Code.TRAINING_CANNOT_BEGIN, reason=str(error.strerror)))
            return
        self._begin_next()

    @Slot()
    def cancel(self) -> None:
        """Stop the training. It leaves no model; a full training can be resumed."""
        if self._process is None or self._is_cancelled:
            return
        self._is_cancelled = True
        self._process.terminate()
        self._kill_timer.start()

    def shut_down(self) -> None:
        """Cancel the training and wait for it, because the program ends."""
        process = self._process
        if process is None:
            return
        self.cancel()
        if not process.waitForFinished(_END_MS):
            process.kill()
            process.waitForFinished(_END_MS)

    def _begin_next(self) -> None:
        process = _process(self)
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_error_output)
        process.started.connect(self._on_started)
        process.errorOccurred.connect(self._on_error)
        process.finished.connect(self._on_finished)
        self._process = process
        self._output = self._error_output = b""
        _start(process, self._commands.pop(0))

    @Slot()
    def _on_started(self) -> None:
        if self._process is None or self.run is None:
            return
        number = int(self._process.processId())
        lower_priority(number)
        with contextlib.suppress(OSError):
            self.run = mark(self.run, "running", trainer=number)

    @Slot()
    def _on_output(self) -> None:
        if self._process is None:
            return
        self._output += bytes(self._process.readAllStandardOutput().data())
        *lines, self._output = self._output.split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))

    def _take(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._keep_log(line)
            return
        if self._events is not None:
            with contextlib.suppress(OSError):
                self._events.write(line + "\n")
                self._events.flush()
        self.event_arrived.emit(event)

    @Slot()
    def _on_error_output(self) -> None:
        if self._process is None:
            return
        self._error_output += bytes(self._process.readAllStandardError().data())
        *lines, self._error_output = self._error_output.split(b"\n")
        for line in lines:
            self._keep_log(line.decode("utf-8", "replace"))

    def _keep_log(self, line: str) -> None:
        line = line.rstrip()[:_LONGEST_LINE]
        if not line:
            return
        self._last_line = line
        if self._log_file is not None:
            with contextlib.suppress(OSError):
                self._log_file.write(line + "\n")
                self._log_file.flush()
        self.log_arrived.emit(line)

    @Slot()
    def _on_kill_due(self) -> None:
        if self._process is not None:
            self._process.kill()

    @Slot(QProcess.ProcessError)
    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:
            self._end(FAILED, message(Code.TRAINER_DOES_NOT_START_UNCHANGED))

    @Slot(int, QProcess.ExitStatus)
    def _on_finished(self, status: int, how: QProcess.ExitStatus) -> None:
        run = self.run
        if run is None:
            return
        self._on_output()
        self._on_error_output()
        if self._error_output:
            self._keep_log(self._error_output.decode("utf-8", "replace"))
        is_comparing = run.request.kind == FULL and not self._commands
        went_well = how is QProcess.ExitStatus.NormalExit and status == 0 and run.model.is_file()
        if self._is_cancelled:
            self._end(
                CANCELLED, message(Code.TRAINING_STOPPED_RESUMABLE if _can_resume(run) else Code.TRAINING_STOPPED)
            )
        elif went_well and self._commands:
            self._let_go()
            self._begin_next()
        elif went_well:
            self._end(FINISHED, message(Code.TRAINING_FINISHED))
        elif is_comparing and run.model.is_file():
            reason = self._last_line or message(Code.TRAINING_COMPARISON_ENDED)
            self._end(FINISHED, message(Code.TRAINING_FINISHED_UNCOMPARED, reason=reason))
        elif how is QProcess.ExitStatus.NormalExit and status == _REFUSED_STATUS and self._last_line:
            self._end(FAILED, self._last_line)
        else:
            words = message(Code.TRAINING_ENDED_RESUMABLE if _can_resume(run) else Code.TRAINING_ENDED)
            if self._last_line:
                words = message(Code.TRAINING_LAST_LINE, reason=words, line=self._last_line)
            _log.warning("trainer ended with %s (%s): %s", status, how, self._last_line)
            self._end(FAILED, words)

    def _let_go(self) -> None:
        process, self._process = self._process, None
        self._kill_timer.stop()
        if process is not None:
            process.deleteLater()

    def _end(self, state: str, sentence: str) -> None:
        run = self.run
        if run is None:
            return
        self._let_go()
        for file in (self._events, self._log_file):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
        self._events = self._log_file = None
        self.run = None
        try:
            run = mark(run, state, sentence)
        except OSError as error:
            _log.warning("the end of %s could not be written down: %s", run.name, error)
        if state == FINISHED:
            with contextlib.suppress(OSError):
                run.remove_checkpoints()
        self.ended.emit(run, state, sentence)


class FamiliesLoader(QObject):
    """Asks the trainer once for its model families, which takes seconds because it loads torch."""

    arrived = Signal(list)
    """A dict per family with name, parameters, input, needs, recipe and about, as `trainer families --json`."""
    failed = Signal(object)
    """A sentence (`Message`, or the trainer's own)."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.families: list[dict[str, Any]] = []
        self._process: QProcess | None = None

    def load(self) -> None:
        """Ask, unless the answer is there or on its way."""
        if self.families or self._process is not None:
            return
        process = _process(self)
        process.started.connect(self._on_started)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        _start(process, ["families", "--json"])

    def shut_down(self) -> None:
        """Stop asking, because the program ends."""
        if self._process is not None:
            self._process.kill()
            self._process.waitForFinished(_END_MS)

    @Slot()
    def _on_started(self) -> None:
        if self._process is not None:
            lower_priority(int(self._process.processId()))

    @Slot(QProcess.ProcessError)
    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process = None
            self.failed.emit(message(Code.TRAINER_DOES_NOT_START))

    @Slot(int, QProcess.ExitStatus)
    def _on_finished(self, status: int, how: QProcess.ExitStatus) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        text = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        errors = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip().splitlines()
        process.deleteLater()
        try:
            self.families = json.loads(text.strip().splitlines()[-1])["families"]
        except (ValueError, KeyError, IndexError, TypeError):
            self.failed.emit(errors[-1] if errors else message(Code.TRAINER_FAMILIES_MISSING))
            return
        self.arrived.emit(self.families)
