"""Pools of windows, drawn ahead of their use by other processes."""

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
from trainer.windows.sampler import CHUNK, Batch, WindowMaker, gathered


class Drawer:
    """Draws pools of windows ahead of their use, in other processes where that is to be had; `first` is where this
    training process's part of a pool begins. With a folder `kept`, pools lie there and are drawn once for all families
    that hear alike.

    Windows are drawn by forked processes (Linux, not in a bundle, where a new process would be a second window);
    elsewhere in this one, when they are asked for. Both give the same windows.
    """

    def __init__(self, maker: WindowMaker, size: int, workers: int, first: int = 0, kept: Path | None = None) -> None:
        self._maker, self._size, self._first, self._kept = maker, size, first, kept
        self._ahead: dict[int, list[Future[Batch]]] = {}
        self._processes: ProcessPoolExecutor | None = None
        if sys.platform == "linux" and not getattr(sys, "frozen", False) and workers > 0:
            # Inherited by the fork: handed over as an argument, all of the sound would be copied with every chunk.
            fork = multiprocessing.get_context("fork")
            self._processes = ProcessPoolExecutor(workers, fork, _inherit, (maker,))

    def _place(self, number: int) -> Path | None:
        name = f"{self._maker.identity}-{number}-{self._first}-{self._size}.npz"
        return None if self._kept is None else self._kept / name

    def ahead(self, number: int) -> None:
        """Begin to draw a pool that will be wanted."""
        place = self._place(number)
        if self._processes is not None and number not in self._ahead and not (place and place.is_file()):
            parts = [(number, self._first + at, min(CHUNK, self._size - at)) for at in range(0, self._size, CHUNK)]
            self._ahead[number] = [self._processes.submit(_inherited_chunk, part) for part in parts]

    def take(self, number: int) -> Batch:
        """The pool of a number; waits until it is drawn."""
        place = self._place(number)
        if place is not None and number not in self._ahead:
            # One that is damaged, or that another comparison has cleared away meanwhile, is drawn again.
            with suppress(OSError, ValueError, KeyError, BadZipFile), np.load(place) as stored:
                return Batch(stored["mels"], stored["targets"], stored["lessons"])
        if self._processes is None:
            pool = self._maker.pool(number, self._size, self._first)
        else:
            self.ahead(number)
            if number not in self._ahead:  # it was kept, and is not any more
                pool = self._maker.pool(number, self._size, self._first)
            else:
                pool = self._drawn(number)
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            suffix = f".{os.getpid()}.part"
            with whole_file(place, suffix=suffix, flush_to_disk=False) as partial, partial.open("wb") as file:
                np.savez(file, **{name: getattr(pool, name) for name in Batch.__slots__})
        return pool

    def _drawn(self, number: int) -> Batch:
        try:
            return gathered([part.result() for part in self._ahead.pop(number)])
        except BrokenProcessPool as error:
            raise DataError(
                "A process that draws windows was ended by the system, most likely for want of memory: fewer "
                "--epoch-windows need less."
            ) from error

    def close(self) -> None:
        if self._processes is not None:
            self._processes.shutdown(wait=True, cancel_futures=True)


_inherited: list[WindowMaker] = []


def _inherit(maker: WindowMaker) -> None:
    _inherited[:] = [maker]
    # Ctrl-C is for the trainer to answer; it ends its helpers itself. Killed, it cannot: then the system does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _inherited_chunk(what: tuple[int, int, int]) -> Batch:
    return _inherited[0].chunk(*what)
