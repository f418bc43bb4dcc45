"""The one way the checker says no."""

LONGEST_TEXT = 400


def _one_line(text: str) -> str:
    """The text with everything unprintable escaped: names in a model must not forge lines of output.

    Nor may they flood it: of a long text the ends are shown.
    """
    if len(text) > LONGEST_TEXT:
        text = f"{text[:150]}... ({len(text)} characters) ...{text[-150:]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Rejected(Exception):
    """Evidence was refused; plain `Rejected` is a defect of certificate or counterexample bytes (exit 30).

    Args:
        rule: short name of what was violated, e.g. "model", "property", "counterexample".
        where: byte, line, operation or node at fault.
        reason: what is wrong and, where one exists, the remedy.
    """

    def __init__(self, rule: str, where: str, reason: str) -> None:
        self.rule, self.where, self.reason = rule, _one_line(where), _one_line(reason)
        super().__init__(f"{rule}: {self.where}: {self.reason}")


class Malformed(Rejected):
    """The model or property file is broken or meaningless (exit 2)."""


class Unsupported(Rejected):
    """The model or property is well formed but outside what the checker reads (exit 20)."""


def refuse_if(condition: bool, error: type[Rejected], rule: str, where: str, reason: str) -> None:
    """Raise the error if the condition holds."""
    if condition:
        raise error(rule, where, reason)
