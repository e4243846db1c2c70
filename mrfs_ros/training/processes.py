"""Processes of a training run, one or several under torchrun: rank, device, common decisions."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mrfs_ros.engine.allocator import keep_memory
from mrfs_ros.engine.load import resolve_device


@dataclass(frozen=True)
class Processes:
    """This process's ``rank`` among ``world`` and its ``device``; the first process writes files."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    @property
    def on_this_machine(self) -> int:
        """Processes of the group that share this machine's memory."""
        return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))

    def parallel(self, network: nn.Module) -> nn.Module:
        """``network`` on this device; with several processes its gradients are averaged over them."""
        network = network.to(self.device)
        if self.world == 1:
            return network
        if self.device.type == "cuda":  # batch statistics over all GPUs; PyTorch has no such layer for the CPU
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
            return DistributedDataParallel(network, device_ids=[self.device.index])
        return DistributedDataParallel(network)

    def agree(self, value: float) -> float:
        """The first process's ``value``, in all processes."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, src=0)
        return shared.item()

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.world > 1:
            distributed.barrier()

    def close(self) -> None:
        """Leave the group."""
        if self.world > 1:
            distributed.destroy_process_group()


def join(device: str, threads: int = 0) -> Processes:
    """Join the other processes if torchrun started this one; ``device`` as for ``load_engine``.

    ``threads``: of torch on the CPU, for each process; 0 leaves torch's own choice.

    CUDA processes of one machine take one GPU each and talk over NCCL, CPU processes over gloo. Memory that a step has
    freed stays with the process, for the next step.
    """
    keep_memory()
    if threads:
        torch.set_num_threads(threads)
    resolved = torch.device(resolve_device(device))
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Processes(0, 1, resolved)
    if resolved.type == "cuda":
        resolved = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(resolved)
    distributed.init_process_group("nccl" if resolved.type == "cuda" else "gloo")
    return Processes(distributed.get_rank(), world, resolved)
