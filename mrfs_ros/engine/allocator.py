"""Allocator settings of the C library: large blocks are kept instead of given back after every layer."""

from __future__ import annotations

import ctypes
import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # malloc.h of glibc


def keep_memory() -> bool:
    """Let freed memory be used again instead of being unmapped; False where the C library is not glibc.

    By default glibc maps every large tensor anew and gives it back when it is freed: 400,000 page faults a frame for
    the plain mit_b0 at 480x640, more time than the arithmetic. This holds for the whole process and only costs what
    its largest moment needed anyway.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    # One arena: those of other threads hold at most 64 MiB a piece, and know nothing of what the warm-up left.
    return all(
        mallopt(name, value) for name, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_ARENA_MAX, 1))
    )


def release_memory() -> bool:
    """Give memory that Python and PyTorch no longer use back to the system; False where the C library is not glibc.

    The counterpart of ``keep_memory``, for a process that goes on without its network.
    """
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except AttributeError:
        return False
    trim(ctypes.c_size_t(0))
    return True
