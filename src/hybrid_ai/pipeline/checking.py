"""The independent checker as a process of its own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Literal

from hybrid_ai.pipeline.errors import BadInput, CheckerFailure, CheckTimedOut
from hybrid_ai.pipeline.files import require_regular
from hybrid_ai.pipeline.isolation import python_command

COMMAND = python_command("hybrid_ai.checker")

# Opens signing keys.
PASSPHRASE = "HYBRID_AI_PASSPHRASE"

FileSource = str | Path | bytes
Engine = Literal["fast", "exact"]
Status = Literal["valid", "rejected", "malformed", "unsupported", "not_reevaluated"]
EXIT_CODES: dict[Status, int] = {
    "valid": 0, "rejected": 30, "malformed": 2, "unsupported": 20, "not_reevaluated": 20,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The checker's answer.

    Attributes:
        status: "valid", "rejected" (the evidence is defective or proves nothing), "malformed" or
            "unsupported" (model or property), "not_reevaluated" (a counterexample claimed in float32 alone).
        kind: "certificate" or "counterexample", "" without a judgement.
        arithmetic, engine: of the judgement.
        nodes, leaves: of an accepted certificate's trees.
        vacuous: the certificate shows that the input set is empty.
        seconds: wall time in the checker.
        rule, where, reason: what a refusal says, else "".
    """

    status: Status
    kind: str = ""
    arithmetic: str = ""
    engine: str = ""
    nodes: int = 0
    leaves: int = 0
    vacuous: bool = False
    seconds: float = 0.0
    rule: str = ""
    where: str = ""
    reason: str = ""

    @property
    def exit_code(self) -> int:
        """The exit status of the command line."""
        return EXIT_CODES[self.status]

    def to_json(self) -> str:
        """The answer as one line of JSON."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)})

    def line(self) -> str:
        """The answer as one line for people."""
        if self.status == "not_reevaluated":
            return "unknown: the counterexample claims float32 alone, which is not re-evaluated"
        if self.status != "valid":
            return f"{self.status}: {self.rule} at {self.where}: {self.reason}"
        size = f", {self.nodes} nodes, {self.leaves} leaves" if self.kind == "certificate" else ""
        vacuous = ", the input set is empty" if self.vacuous else ""
        arithmetic = "real and float32" if self.arithmetic == "both" else self.arithmetic
        return f"valid: {self.kind} in {arithmetic} arithmetic, engine {self.engine}{size}{vacuous}"


def parse_answer(text: str) -> CheckResult:
    """Read the checker's answer.

    Raises:
        CheckerFailure: it makes no sense, or tells of a failure of the checker.
    """
    try:
        answer = json.loads(text)
        if answer["status"] not in EXIT_CODES:
            raise CheckerFailure(f"the checker failed: {answer['reason']}")
        names = [field.name for field in fields(CheckResult) if field.name in answer]
        return CheckResult(**{name: answer[name] for name in names})
    except (ValueError, TypeError, KeyError) as error:
        raise CheckerFailure(f"the checker's answer makes no sense: {text[:200]!r}") from error


def _start(arguments: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C goes to us alone, and we end the child.
    pipe = subprocess.PIPE
    command = [*COMMAND, *arguments]
    # Compiled code is kept beside the sources, or where the user keeps such: no variable points elsewhere.
    environment = {
        name: value for name, value in child_environment().items() if not name.startswith("NUMBA_")
    }
    return subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=log, env=environment, start_new_session=True
    )


def child_environment() -> dict[str, str]:
    """Our environment but for the passphrase of signing keys, which no other process needs."""
    return {name: value for name, value in os.environ.items() if name != PASSPHRASE}


def _ended(code: int, log: IO[bytes]) -> CheckerFailure:
    log.seek(0)
    said = log.read().decode(errors="replace").strip().splitlines()
    return CheckerFailure(f"the checker's process ended with status {code}{': ' + said[-1] if said else ''}")


class Checker:
    """A checker process that answers request after request; started at once, and again when it has ended.

    Its standard input is a pipe from us: where we are gone, it ends.

    Args:
        compiled: have numba compile a loop of engine "fast" there, and use it once that is done.
    """

    def __init__(self, compiled: bool = False) -> None:
        self._options = ["--serve", "--compiled"] if compiled else ["--serve"]
        self._log = tempfile.TemporaryFile()
        self._process: subprocess.Popen[bytes] | None = None
        self._launch()

    def __enter__(self) -> Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._end()
        self._log.close()

    def ask(self, model: Path, claim: Path, evidence: Path, engine: Engine, deadline: float) -> CheckResult:
        """Have evidence judged.

        Args:
            model: file.
            claim: file of the property.
            evidence: file.
            engine: in which a certificate is replayed.
            deadline: `time.monotonic` value by which the answer must be there.

        Raises:
            CheckTimedOut: it was not.
            CheckerFailure: the process ended, or its answer makes no sense.
        """
        process = self._process or self._launch()
        paths = {"model": model, "property": claim, "evidence": evidence}
        request = {"engine": engine, **{name: str(path.absolute()) for name, path in paths.items()}}
        try:
            return parse_answer(self._exchange(process, json.dumps(request) + "\n", deadline))
        except BaseException:
            self._end()  # whatever happened, an answer that comes late must not be taken for the next one
            raise

    def _launch(self) -> subprocess.Popen[bytes]:
        try:
            self._process = _start(self._options, self._log)
        except OSError as error:
            raise CheckerFailure(f"the checker's process cannot be started: {error}") from error
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], request: str, deadline: float) -> str:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(request.encode())
            process.stdin.flush()
        except BrokenPipeError as error:
            raise self._died(process) from error
        answer = b""
        while not answer.endswith(b"\n"):
            left = deadline - monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise CheckTimedOut
            part = os.read(process.stdout.fileno(), 1 << 16)
            if not part:
                raise self._died(process)
            answer += part
        return answer.decode(errors="replace")

    def _died(self, process: subprocess.Popen[bytes]) -> CheckerFailure:
        return _ended(process.wait(), self._log)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:  # what was still to be written has no reader any more
                    pass
        process.wait()


def check(
    model: FileSource, property: FileSource, evidence: FileSource, *, engine: Engine = "fast"
) -> CheckResult:
    """Judge a certificate or a counterexample in a fresh process of the independent checker.

    Args:
        model: ONNX file, a path or bytes.
        property: VNN-LIB file, likewise.
        evidence: certificate or counterexample, likewise.
        engine: "fast" (double precision with error bounds) or "exact" (rationals).

    Raises:
        BadInput: a file cannot be read, or there is no such engine.
        CheckerFailure: the checker itself failed.
    """
    if engine not in ("fast", "exact"):
        raise BadInput(f"engine {engine!r}: give 'fast' or 'exact'")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hybrid-ai-")))
        log = stack.enter_context(tempfile.TemporaryFile())
        named = (("model", model), ("property", property), ("evidence", evidence))
        paths = [_as_file(source, folder / name) for name, source in named]
        command = [*map(str, paths), "--engine", engine, "--json"]
        process = stack.enter_context(_start(command, log))
        stack.callback(process.kill)
        output, _ = process.communicate()
        if not output:
            raise _ended(process.returncode, log)
        return parse_answer(output.decode(errors="replace"))


def _as_file(source: FileSource, place: Path) -> Path:
    """The absolute path of a file with what was given."""
    if isinstance(source, bytes):
        place.write_bytes(source)
        return place
    if not isinstance(source, str | Path):
        raise BadInput(f"{place.name}: {type(source).__name__} is no source: give a path or bytes")
    require_regular(source)
    try:
        with open(source, "rb"):
            return Path(source).absolute()
    except OSError as error:
        raise BadInput(f"{source}: cannot be read: {error.strerror}") from error
