"""Where a training runs: which device, and alone or as one of several processes started by `torchrun`."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from trainer.errors import DataError

_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class World:
    """This process's place among those that train one network together. Rank 0 leads: it writes, prints and decides."""

    rank: int = 0
    size: int = 1
    device: torch.device = _CPU

    @property
    def leads(self) -> bool:
        return self.rank == 0

    @property
    def knows_bfloat16(self) -> bool:
        """Whether products in bfloat16 are quicker here than in float32."""
        if self.device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        instructions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return self.device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in instructions)

    def share(self, network: nn.Module) -> nn.Module:
        """Return the network, with its gradients averaged over all processes after each step."""
        if self.size == 1:
            return network
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)

    def agree(self, value: float) -> float:
        """Return the leader's value, in every process."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, 0)
        return float(shared)

    def wait(self) -> None:
        """Block until every process has come this far."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined(device: str = "auto") -> Iterator[World]:
    """Train in company: join the other processes, wait for them at the end, and leave them whatever happens."""
    try:
        world = _join(device)
        yield world
        world.wait()
    finally:
        if distributed.is_available() and distributed.is_initialized():
            distributed.destroy_process_group()


def _join(device: str) -> World:
    """Find the device (CUDA, then MPS, then CPU, unless named) and, under `torchrun`, join the other processes.

    `torchrun --nproc-per-node 2 -m trainer train …` sets WORLD_SIZE, RANK and LOCAL_RANK; processes communicate by NCCL
    on CUDA and by gloo elsewhere. Raises DataError for a device that is not here.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    devices = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [name for name, is_available in devices.items() if is_available]
    if device != "auto" and device not in available:
        raise DataError(f"There is no device '{device}' here; there is {', '.join(available)}.")
    if device == "auto":
        device = available[0]
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
        torch.backends.cudnn.deterministic = True  # else --resume would not end with the same weights
    if size > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return World(rank, size, torch.device(device))


def set_up_process(threads: int) -> None:
    """Prepare this process for a training whose network runs on so many threads."""
    keep_memory()
    torch.set_num_threads(threads)


def keep_memory() -> None:
    """Tell glibc to keep freed memory; without glibc nothing happens.

    Otherwise arrays of a window's size are mapped and unmapped for every window, which takes five times as long as the
    arithmetic on them.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in ((-3, 1 << 25), (-1, 1 << 28), (-2, 1 << 24)):  # mmap threshold, trim threshold, top pad
        mallopt(parameter, value)
