"""How the dense kernels are laid out on a CUDA device: known without one, so that tests can assert it.

A thread carries the two rows, lower and upper, of one neuron in one box. Its sums are registers, two for each
element of the widest group; its coefficients lie in shared memory, in a column of its own; the weights of a
stage pass through shared memory a few rows at a time, and all threads of the block read the same one at once.
"""

from __future__ import annotations

from typing import NamedTuple

WIDEST = 64  # elements of a group that is read: beyond it the sums of a thread leave the registers
ROUND = 4  # widths are multiples of it: 16 bytes in single precision
MOST_SHARED = 48 * 1024  # bytes that a block gets without asking the driver for more
AIM_SHARED = 32 * 1024  # three such blocks fit into the 96 KiB of a V100
MOST_REGISTERS = 255  # of a thread, on every device since sm_35
FEWEST_ROWS = 8  # of weights at once: fewer, and the block waits for them


class Geometry(NamedTuple):
    """What is fixed when the kernels are compiled.

    width: elements of a group, padded; threads: of a block; rows: of weights in shared memory at once;
    itemsize: bytes of a number.
    """

    width: int
    threads: int
    rows: int
    itemsize: int

    @property
    def shared_bytes(self) -> int:
        """Shared memory of a block: two coefficients per thread and element, and the weights."""
        return self.width * (2 * self.threads + self.rows) * self.itemsize

    @property
    def sum_registers(self) -> int:
        """Registers of 32 bits that a thread's sums take."""
        return 2 * self.width * self.itemsize // 4


def choose_geometry(widest: int, itemsize: int) -> Geometry:
    """The layout for a network.

    Args:
        widest: elements of the largest group that a stage reads, 1 to WIDEST.
        itemsize: bytes of a number, 4 or 8.

    Raises:
        ValueError: a width beyond WIDEST; callers refuse such networks with a reason of their own.
    """
    if not 1 <= widest <= WIDEST:
        raise ValueError(f"a group of {widest} elements; the kernels hold 1 to {WIDEST}")
    width = -(-widest // ROUND) * ROUND
    threads = 256 // itemsize  # two warps in single precision, one in double
    columns = 2 * threads * width * itemsize
    fitting = (AIM_SHARED - columns) // (width * itemsize)
    return Geometry(width, threads, min(width, max(FEWEST_ROWS, fitting)), itemsize)
