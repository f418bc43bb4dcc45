"""Records of the module `logging` as entries of a trace."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.trace import Trace

_NOT_IN_ACTIONS = re.compile(r"[^a-z0-9._-]+")
_LONGEST_LEVEL = 96


class TraceHandler(logging.Handler):
    """Appends each record as an entry `log/LEVEL`; the trace stays the caller's to close.

    The entry's parameters are the logger, the message, type and text of an exception, and what the record was
    given as `extra={"trace": {...}}`. Where in the sources and in which thread or process it was made is not
    written. What cannot be written goes the way of all errors in handlers, `logging.Handler.handleError`.

    Args:
        trace: to append to.
        level: least level of records to append.
    """

    def __init__(self, trace: Trace, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        try:
            self._trace.append(_action(record), parameters=_parameters(record))
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all that was appended is on disk.

        Raises:
            WriteFailed: some of it is not, and is lost.
            TraceForked: in a forked process.
        """
        self._trace.flush()


def _action(record: logging.LogRecord) -> str:
    level = _NOT_IN_ACTIONS.sub("-", record.levelname.lower())
    return f"log/{level[:_LONGEST_LEVEL]}"


def _parameters(record: logging.LogRecord) -> dict[str, object]:
    parameters: dict[str, object] = {"logger": _text(record.name), "message": _text(record.getMessage())}
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        parameters["exception"] = {"type": type(error).__qualname__, "text": _text(str(error))}
    given = getattr(record, "trace", {})
    if not isinstance(given, Mapping):
        raise AuditError(f'extra={{"trace": ...}} is a {type(given).__name__}: give a mapping')
    if taken := sorted(parameters.keys() & given.keys()):
        raise AuditError(f'extra={{"trace": ...}} holds {", ".join(taken)}: choose other names')
    return {**parameters, **given}


def _text(text: str) -> str:
    """The text with lone surrogates escaped: file names have them, JSON does not."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
