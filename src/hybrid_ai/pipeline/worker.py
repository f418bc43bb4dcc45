"""A process that verifies one instance after the other: `workers.py` starts it and says which."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any

from hybrid_ai.pipeline.checking import Checker
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.inputs import read_model
from hybrid_ai.pipeline.instances import Content, Job
from hybrid_ai.pipeline.limits import Limits
from hybrid_ai.pipeline.result import INTERRUPTED
from hybrid_ai.pipeline.verify import Arithmetic, Observer, Task, run

MOST_MODELS = 20  # that are kept, since jobs take them in turn


class Verifier:
    """Verifies instances with one checker; a model that several have is read once."""

    def __init__(
        self, folder: Path, working: Path, limits: Limits, arithmetic: Arithmetic | None, observer: Observer
    ) -> None:
        self._folder, self._working = folder, working
        self._limits, self._arithmetic, self._observer = limits, arithmetic, observer
        self._reader = lru_cache(MOST_MODELS)(read_model)
        self._checker = Checker(compiled=True)

    def __enter__(self) -> Verifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._checker.close()

    def verify(self, job: Job) -> Content:
        """Verify an instance.

        Returns:
            The result, as `verify --json` prints it.

        Raises:
            BadInput: its input set is empty, or a file is malformed; names the property.
            KeyboardInterrupt: interrupted.
        """
        limits = replace(self._limits, timeout=job.timeout)
        task = Task(limits, self._working / job.evidence, job.allow_vacuous, self._arithmetic)
        model, claim = self._folder / job.model, self._folder / job.property
        try:
            result = run(model, claim, task, self._checker, self._observer, self._reader)
        except BadInput as error:
            raise BadInput(f"{job.property}: {error}") from error
        if result.reason is not None and result.reason.startswith(INTERRUPTED):
            raise KeyboardInterrupt
        return result.fields()


def serve(asked: dict[str, Any]) -> None:
    """Answer each line of the standard input, a job, with a line: its result, or why it was refused.

    It ends with the input, also in the midst of a job: whoever asked is gone then.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    limits = Limits(**asked["limits"])
    folder, working = Path(asked["folder"]), Path(asked["working"])
    with Verifier(folder, working, limits, asked["arithmetic"], Observer()) as verifier:
        for line in _lines():
            answer: Content
            try:
                answer = {"result": verifier.verify(Job(**json.loads(line)))}
            except BadInput as error:
                answer = {"refused": str(error)}
            print(json.dumps(answer), file=answers, flush=True)


def _lines() -> Iterator[bytes]:
    """The lines of the standard input as they come."""
    lines: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            lines.put(line)
        os._exit(0)

    Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
