"""Memory in small pages: where the kernel makes huge ones of its own accord, a stack of a few KiB takes 2 MiB.

Debian does (transparent_hugepage=always), a minute or two after the plugin's start, for each of its threads' stacks.
"""

import ctypes

_libc = ctypes.CDLL(None)
# linux/prctl.h
_PR_SET_THP_DISABLE = 41


def keep_small_pages() -> None:
    """Ask the kernel for no huge pages in this process; one that can't be asked gives them."""
    _libc.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
