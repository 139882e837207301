"""The memory of a process that computes on the CPU: what a network frees is kept for its next layer."""

import ctypes
import sys

# Of glibc's malloc.h, see mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = -1


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory instead of giving it back to the system.

    A network frees and asks for activations of megabytes in every layer. By default each of them is memory fresh from
    the system, which sets every page of it to zero first; with that off, a step computes the same bits and is no slower
    and, depending on what the machine pays for a fresh page, faster (``benchmarks``, topic ``memory``). The process
    keeps as much as it needed at its peak.

    Returns:
        Whether there was such an allocator to ask: on Linux with glibc there is.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):  # musl knows no mallopt
        return False
    return bool(libc.mallopt(_MMAP_MAX, 0) and libc.mallopt(_TRIM_THRESHOLD, _NEVER))
