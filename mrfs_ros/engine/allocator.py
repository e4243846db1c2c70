"""Keeps the C library from giving large blocks back to the system after every layer."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h of glibc


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
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
