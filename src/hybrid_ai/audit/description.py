"""What a dossier's descriptive files tell: plain data, from which they are written."""

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

TOOL = "hybrid-ai"

# What computes a verdict or its evidence at run time; python itself comes on top.
_RUNTIME = ("numpy", "numba", "onnx", "onnxruntime", "z3-solver", "scipy", "cryptography")


@dataclass(frozen=True)
class DossierFile:
    """A file of the dossier.

    Attributes:
        path: its name in the dossier, as the dossier's format (section 2) allows it.
        bytes: its size, at least 0.
        sha256: of its bytes, 64 lower-case hexadecimal digits.
    """

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model.

    Attributes:
        name: as the model names it.
        shape: sizes of its axes; text for an axis that the model names, None for one of unknown size.
        element: type of its elements, for example "float32".
    """

    name: str
    shape: tuple[int | str | None, ...]
    element: str

    def __str__(self) -> str:
        axes = ", ".join("?" if axis is None else str(axis) for axis in self.shape)
        return f"{self.name}: {self.element}[{axes}]"


@dataclass(frozen=True)
class ModelFile:
    """A model of the dossier.

    Attributes:
        path: of its file.
        inputs, outputs: in the model's order.
        operations: names of the ONNX operations it uses, each once.
        producer: the program that wrote the file, as the file says; None where it does not.
        intended_use: what it is meant for, as its owner says; None where nobody said.
    """

    path: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operations: tuple[str, ...]
    producer: str | None
    intended_use: str | None = None


@dataclass(frozen=True)
class Verification:
    """One verification and what came of it.

    Attributes:
        model, property: paths of their files.
        evidence: path of the certificate or counterexample; None without one.
        statement: path of the signed statement.
        verdict: "proved", "refuted" or "unknown".
        arithmetics: pairs of an arithmetic and its verdict.
        started, ended: RFC 3339, UTC.
        seconds: wall time, at least 0.
    """

    model: str
    property: str
    evidence: str | None
    statement: str
    verdict: str
    arithmetics: tuple[tuple[str, str], ...]
    started: str
    ended: str
    seconds: float


@dataclass(frozen=True)
class Software:
    """A piece of software: its name, version and package URL (purl)."""

    name: str
    version: str
    purl: str


@dataclass(frozen=True)
class Licence:
    """Terms under which the dossier may be used.

    Attributes:
        name: for example "CC BY 4.0".
        url: address of the text, http or https; None where it has none.

    Raises:
        ValueError: when ``url`` is another kind of address.
    """

    name: str
    url: str | None

    def __post_init__(self) -> None:
        # Anything else would be taken for a file of the dossier.
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError(
                f"the licence's address {self.url} is not on the web; leave it out or give one that is"
            )


@dataclass(frozen=True)
class Description:
    """A dossier, described.

    Attributes:
        name: tells this dossier from others.
        summary: what it is about, in a few sentences.
        created: RFC 3339, UTC.
        licence: of the dossier; None where none is given.
        organisation: who made it, as declared; None where nobody is named.
        models: each with its file in ``files``.
        properties: paths of their files.
        verifications: in the order of their numbers.
        files: those to be described, models, properties and evidence among them.
        software: what ran, the tool itself first.

    Raises:
        ValueError: when a file, model, property or piece of software is named twice, a path is named that is
            not among the files, a verification is of no model or property of the dossier, or no software is
            named.
    """

    name: str
    summary: str
    created: str
    licence: Licence | None
    organisation: str | None
    models: tuple[ModelFile, ...]
    properties: tuple[str, ...]
    verifications: tuple[Verification, ...]
    files: tuple[DossierFile, ...]
    software: tuple[Software, ...]

    def __post_init__(self) -> None:
        models = [model.path for model in self.models]
        files = [file.path for file in self.files]
        _require_distinct("file", files)
        _require_distinct("model or property", [*models, *self.properties])
        _require_distinct("software", [software.purl for software in self.software])
        if not self.software:
            raise ValueError("software is empty: name at least the tool that made the dossier")
        evidence = [run.evidence for run in self.verifications if run.evidence is not None]
        statements = [run.statement for run in self.verifications]
        _require_known("file", [*models, *self.properties, *evidence, *statements], files)
        _require_known("model", [run.model for run in self.verifications], models)
        _require_known("property", [run.property for run in self.verifications], self.properties)

    @property
    def tool(self) -> Software:
        """The tool that made the dossier."""
        return self.software[0]

    def file(self, path: str) -> DossierFile:
        """Find a file by its path, which must be one of ``files``."""
        return next(file for file in self.files if file.path == path)


def installed_software() -> tuple[Software, ...]:
    """List what runs here: hybrid-ai first, the packages it computes with that are installed, python last.

    Raises:
        importlib.metadata.PackageNotFoundError: when hybrid-ai itself is not installed.

    Source: package URLs by the purl specification, types "pypi" and "generic".
    """
    names = (TOOL, *(name for name in _RUNTIME if any(metadata.distributions(name=name))))
    packages = tuple(_package(name, metadata.version(name)) for name in names)
    version = platform.python_version()
    return (*packages, Software("python", version, f"pkg:generic/python@{version}"))


def _package(name: str, version: str) -> Software:
    # "+" of a local version would be read as a blank in a purl.
    return Software(name, version, f"pkg:pypi/{name}@{version.replace('+', '%2B')}")


def _require_distinct(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {kind} {name} is named twice; name it once")
        seen.add(name)


def _require_known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    missing = sorted(set(names) - set(known))
    if missing:
        raise ValueError(f"no {kind} of the dossier: {', '.join(missing)}; add it to the description")
