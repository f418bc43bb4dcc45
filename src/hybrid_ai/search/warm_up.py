"""Compile the kernels into numba's cache by bounding a tiny network: ``python -m hybrid_ai.search.warm_up``.

With ``--while-parent-lives`` standard input is a pipe from the process that waits for us; where it ends, so
do we.
"""

import fcntl
import os
import sys
import threading
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from hybrid_ai.bounds import flatten
from hybrid_ai.network import Block, Stage, StagedNetwork
from hybrid_ai.search.branch import SERIAL_BELOW, Branch, advance, start
from hybrid_ai.search.compiled.node import process_parallel, process_serial
from hybrid_ai.search.kernel_cache import kernels_ready, lock_file, write_stamp
from hybrid_ai.search.phases import decide_by_phases
from hybrid_ai.search.problem import make_problem
from hybrid_ai.spec import Atom, InputPolytope

PARENT_IS_GONE = 3


def _tiny_branch() -> Branch:
    """The root of: |x| > -1 on [-1, 1]."""
    signs, zeros, ones = np.array([[1.0], [-1.0]]), np.zeros(2), np.ones((1, 2))
    hidden = Stage("relu", (Block(0, signs),), zeros, (signs,), zeros)
    output = Stage("linear", (Block(1, ones),), zeros[:1], (ones,), zeros[:1])
    flat = flatten(StagedNetwork(1, (hidden, output), 2, (1, 2, 1)))
    one = Fraction(1)
    row = Atom((), ((0, one),), one, strict=False)
    problem = make_problem(flat, InputPolytope((-one,), (one,), (), ((row,),)))
    return start(problem, flat, threads=1)


def decide_a_tiny_box() -> None:
    """Run the kernels that decide a box by phases, on a box whose two neurons are unstable."""
    branch = _tiny_branch()
    root = branch.stack[0]
    box = (root.first, root.last, root.bounds, root.is_open)
    decide_by_phases(branch.problem, branch.flat, *box, assumptions=((1, True),))


def _index_file(kernel: Any) -> Path:
    """File in which numba's cache lists the compiled versions of one kernel."""
    found = sorted(Path(kernel.stats.cache_path).glob(f"*.{kernel.py_func.__qualname__}-*.nbi"))
    if not found:
        raise FileNotFoundError(
            f"{kernel.stats.cache_path}: numba kept no compiled {kernel.py_func.__qualname__}; "
            "set NUMBA_CACHE_DIR to a folder that can be written"
        )
    return found[-1]


def warm_up() -> None:
    """Compile every kernel that is not in numba's cache, and say in its folder that all are there.

    Raises:
        FileNotFoundError: numba keeps no cache here.
        OSError: the folder of the cache cannot be written.
    """
    for threads in (1, 2):
        branch = _tiny_branch()
        branch.threads = threads
        branch.stack = branch.stack * (SERIAL_BELOW if threads > 1 else 1)
        advance(branch, "compiled", monotonic())
    decide_a_tiny_box()
    write_stamp([_index_file(process_serial), _index_file(process_parallel)])


def _end_with_parent() -> None:
    # os.read, not sys.stdin: a daemon thread holding a buffered stream's lock aborts the interpreter's exit.
    while os.read(0, 4096):
        pass
    os._exit(PARENT_IS_GONE)


def main() -> None:
    """Run the module as a program."""
    if "--while-parent-lives" in sys.argv[1:]:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    file = lock_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several at once one compiles, the others wait for it
        if not kernels_ready():
            warm_up()


if __name__ == "__main__":
    main()
