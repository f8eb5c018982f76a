"""Prefetching pools of windows in worker processes."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from babymonitor.core.whole_file import whole_file
from trainer.errors import DataError
from trainer.windows.batch import CHUNK, Batch, concatenated
from trainer.windows.sampler import WindowSampler


class WindowPrefetcher:
    """Draws pools of windows ahead of their use.

    Forked worker processes do so on Linux, except in an installed program, where a new process would open a second
    window. Elsewhere windows are drawn in this process on request. Both give the same windows.

    size: windows in a pool. first: index of this training process's first window in a pool. folder: where pools are
    stored, so that families with the same front end draw them only once.
    """

    def __init__(
        self, sampler: WindowSampler, size: int, workers: int, first: int = 0, folder: Path | None = None
    ) -> None:
        self._sampler, self._size, self._first, self._folder = sampler, size, first, folder
        self._ahead: dict[int, list[Future[Batch]]] = {}
        self._processes: ProcessPoolExecutor | None = None
        if sys.platform == "linux" and not getattr(sys, "frozen", False) and workers > 0:
            # The fork inherits the sampler. As an argument, all of its sound would be copied with every chunk.
            fork = multiprocessing.get_context("fork")
            self._processes = ProcessPoolExecutor(workers, fork, _inherit, (sampler,))

    def _file(self, number: int) -> Path | None:
        name = f"{self._sampler.identity}-{number}-{self._first}-{self._size}.npz"
        return None if self._folder is None else self._folder / name

    def ahead(self, number: int) -> None:
        """Start drawing a pool that will be needed."""
        file = self._file(number)
        if self._processes is not None and number not in self._ahead and not (file and file.is_file()):
            offsets = range(0, self._size, CHUNK)
            chunks = [(number, self._first + offset, min(CHUNK, self._size - offset)) for offset in offsets]
            self._ahead[number] = [self._processes.submit(_inherited_chunk, *chunk) for chunk in chunks]

    def take(self, number: int) -> Batch:
        """Return a pool, waiting until it is drawn. Raises DataError if a worker process died."""
        file = self._file(number)
        if file is not None and number not in self._ahead:
            # A pool that is damaged, or that another comparison has removed meanwhile, is drawn again.
            with suppress(OSError, ValueError, KeyError, BadZipFile), np.load(file) as stored:
                return Batch(stored["mels"], stored["targets"], stored["lessons"])
        if self._processes is None:
            pool = self._sampler.pool(number, self._size, self._first)
        else:
            self.ahead(number)
            if number not in self._ahead:  # a stored pool that could not be read
                pool = self._sampler.pool(number, self._size, self._first)
            else:
                pool = self._wait_for(number)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            suffix = f".{os.getpid()}.part"
            with whole_file(file, suffix=suffix, flush_to_disk=False) as partial, partial.open("wb") as sink:
                np.savez(sink, **{name: getattr(pool, name) for name in Batch.__slots__})
        return pool

    def _wait_for(self, number: int) -> Batch:
        try:
            return concatenated([chunk.result() for chunk in self._ahead.pop(number)])
        except BrokenProcessPool as error:
            raise DataError(
                "The system ended a process that draws windows, probably because memory ran out: fewer "
                "--epoch-windows need less."
            ) from error

    def close(self) -> None:
        """End the worker processes; windows that are still being drawn are discarded."""
        if self._processes is not None:
            self._processes.shutdown(wait=True, cancel_futures=True)


_inherited: list[WindowSampler] = []


def _inherit(sampler: WindowSampler) -> None:
    _inherited[:] = [sampler]
    # The trainer handles Ctrl-C and ends its workers itself. If the trainer is killed, the system ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _inherited_chunk(number: int, first: int, count: int) -> Batch:
    return _inherited[0].chunk(number, first, count)
