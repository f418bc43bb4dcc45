"""Gets the compiled loop of engine "fast" ready while the first requests are answered without it."""

import sys
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybrid_ai.checker.fast_lines import Substitute


class Loader(Thread):
    """Loads `hybrid_ai.checker.fast_compiled`; `loop` is None until that is done, or for good."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.loop: Substitute | None = None

    def run(self) -> None:
        """Load it; without numba, or a folder for what it compiles, numpy gives the same verdicts."""
        try:
            from hybrid_ai.checker.fast_compiled import load

            self.loop = load()
        except (ImportError, RuntimeError, OSError) as error:
            print(f"no compiled loop: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
