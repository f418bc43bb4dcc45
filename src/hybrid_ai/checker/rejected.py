"""The one way the checker says no."""


class Rejected(Exception):
    """Evidence was refused; plain `Rejected` is a defect of certificate or counterexample bytes (exit 30).

    Args:
        rule: short name of what was violated, e.g. "model", "property", "counterexample".
        where: byte, line, operation or node at fault.
        reason: what is wrong and, where one exists, the remedy.
    """

    def __init__(self, rule: str, where: str, reason: str) -> None:
        super().__init__(f"{rule}: {where}: {reason}")
        self.rule = rule
        self.where = where
        self.reason = reason


class Malformed(Rejected):
    """The model or property file is broken or meaningless (exit 2)."""


class Unsupported(Rejected):
    """The model or property is well formed but outside what the checker reads (exit 20)."""


def refuse_if(condition: bool, error: type[Rejected], rule: str, where: str, reason: str) -> None:
    """Raise the error if the condition holds."""
    if condition:
        raise error(rule, where, reason)
