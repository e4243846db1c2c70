"""Number of CPU threads that the engines of a process compute with."""

from __future__ import annotations

import torch


def use_threads(count: int) -> None:
    """Let every engine loaded after this, whatever its backend, compute with ``count`` threads."""
    torch.set_num_threads(count)
