"""Where a training runs: which device, and alone or as one of several processes started by `torchrun`."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

import torch
from torch import distributed, nn

from trainer.errors import DataError

_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class World:
    """This process's place among those that train one network together. rank 0 writes, tells and decides."""

    rank: int = 0
    size: int = 1
    device: torch.device = _CPU

    @property
    def leads(self) -> bool:
        return self.rank == 0

    @property
    def knows_bfloat16(self) -> bool:
        """Whether products of bfloat16 are quicker here than those of float32."""
        if self.device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return self.device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in known)

    def share(self, network: nn.Module) -> nn.Module:
        """The network, its gradients averaged over all processes after each step."""
        if self.size == 1:
            return network
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)

    def agree(self, value: float) -> float:
        """The leader's value, in every process."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return float(told)

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            distributed.barrier()


def join(device: str = "auto") -> World:
    """Find the device (CUDA, then MPS, then CPU, unless one is named) and, under `torchrun`, the other processes.

    `torchrun --nproc-per-node 2 -m trainer train …` sets WORLD_SIZE, RANK and LOCAL_RANK; they speak by NCCL on CUDA
    and by gloo elsewhere.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device != "auto" and not there.get(device, False):
        raise DataError(
            f"There is no device '{device}' here; there is {', '.join(name for name in there if there[name])}."
        )
    if device == "auto":
        device = "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
        torch.backends.cudnn.deterministic = True  # else --resume would not end with the same weights
    if size > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return World(rank, size, torch.device(device))


def leave() -> None:
    """Part from the other processes, if there are any."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def keep_memory() -> None:
    """Tell glibc to keep what is freed: arrays of a window's size would else be mapped and unmapped for every window,
    which costs five times as long as the arithmetic on them. Where there is no glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in ((-3, 1 << 25), (-1, 1 << 28), (-2, 1 << 24)):  # mmap threshold, trim threshold, top pad
        mallopt(parameter, value)
