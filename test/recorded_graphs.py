"""A stand-in for CUDA graphs on the CPU: operations are recorded while they run, and replayed into the same memory.

What a graph would get wrong comes out wrong here too: new tensors in place of captured ones, values that Python read
during the capture, shapes. Kernels, streams, pinned memory and their races are not there.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class RecordedGraph(TorchDispatchMode):
    """In place of torch.cuda.CUDAGraph."""

    def __init__(self):
        super().__init__()
        self._calls = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        self._calls.append((operation, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        for operation, args, kwargs, result in self._calls:
            again = operation(*args, **kwargs)
            for old, new in zip(tree_flatten(result)[0], tree_flatten(again)[0]):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


@contextmanager
def _capture(graph: RecordedGraph, stream):
    with graph:
        yield


def use(monkeypatch) -> None:
    """Let an engine for CUDA run on the CPU, uncompiled."""
    stream = SimpleNamespace(synchronize=lambda: None)
    for name, value in {
        "Stream": lambda device: stream,
        "stream": nullcontext,
        "device": nullcontext,
        "CUDAGraph": RecordedGraph,
        "graph": _capture,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
