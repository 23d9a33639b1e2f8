"""Who does what on the device: a team of threads a row, or blocks that share a row.

A thread keeps 64 bytes of each of the two numbers of a label, 16 labels in float and 8 in double;
a team has the fewest threads 2^k that hold a row, up to a block of 1024: n <= 16384, or 8192 in
double.  Rows twice as long keep the second number in 128 KiB of shared memory, where the device
has so much.  Beyond, rows are cut into parts of PART labels.

The plan depends on n and the dtype, and for the longest rows that can stay on the device's memory:
not on the number of rows, so that the bits of a row do not either.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PART", "THREADS", "Resident", "product", "resident", "width"]

PART = 1 << 14
"""Labels of a part: 600 parts at n = 10^7, more than any device has multiprocessors."""

THREADS = 256
"""Threads of a block that has a part, or the parts of a row."""

LOAD = 16
"""Bytes that a thread can read at a time."""

KEPT = 64
"""Bytes of registers for each of the two numbers: 32 registers, of 64 that each of 1024 threads
can have."""

WARP, SMALL, LARGEST = 32, 256, 1024
"""Threads of a warp, of the blocks that `resident_some` is compiled for, of the largest block."""

SHARED_BY_SMALL = 128
"""Threads of a block that some rows share."""

LONGEST_PRODUCT = 1 << 17
"""Labels of a row up to which one block does its product: 512 for each of its threads."""

RESERVED = 320 * 8
"""Bytes of shared memory for the maxima and states of warps: SLOTS_FROM in `rows.cuh`."""


class Resident(NamedTuple):
    """A launch for rows that stay: kernel, threads of a team and of a block, shared memory."""

    kernel: str
    team: int
    threads: int
    shared: int

    def blocks(self, rows: int) -> int:
        """So many that each row has a team."""
        return -(-rows * self.team // self.threads)


def width(n: int, itemsize: int) -> int:
    """Entries to read at a time: a power of two that divides n, of at most LOAD bytes."""
    return min(n & -n, LOAD // itemsize)


def resident(n: int, real: int, shared: int) -> Resident | None:
    """The launch for rows of n labels computed in `real` bytes each; None if they do not stay.

    shared: bytes of shared memory that a block can have.
    """
    slots = KEPT // real
    team = 1 << (-(-n // slots) - 1).bit_length()
    if team <= WARP:
        return Resident("resident_some", team, SHARED_BY_SMALL, RESERVED)
    if team <= SMALL:
        return Resident("resident_some", team, team, RESERVED)
    if team <= LARGEST:
        return Resident("resident_one", team, team, RESERVED)
    needed = RESERVED + LARGEST * 2 * KEPT
    if team <= 2 * LARGEST and needed <= shared:
        return Resident("resident_long", LARGEST, LARGEST, needed)
    return None


def product(n: int, real: int) -> Resident:
    """The launch for products of rows of n labels: a team reads its row some times over."""
    slots = KEPT // real
    team = min(SMALL, 1 << (-(-n // slots) - 1).bit_length())
    return Resident("products", team, SHARED_BY_SMALL if team <= WARP else team, RESERVED)
