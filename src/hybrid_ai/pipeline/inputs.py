"""Read what is to be verified, and refuse it with one kind of error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from hybrid_ai.network import Model, NetworkError, TooLarge, UnsupportedModel, load_model, several
from hybrid_ai.pipeline.errors import BadInput, UnsupportedInput
from hybrid_ai.pipeline.files import require_regular
from hybrid_ai.spec import (
    NormalForm,
    Property,
    SpecError,
    UnsupportedSpec,
    normal_form,
    read_vnnlib,
    to_vnnlib,
)

ModelSource = str | Path | bytes | Model
PropertySource = str | Path | bytes | Property
ModelReader = Callable[[ModelSource], Model]

# No reader takes more.
LARGEST_FILE = 2**30 - 1


@dataclass(frozen=True, eq=False)
class Inputs:
    """A model and a property that fit each other.

    Attributes:
        model: of several instances side by side where the property speaks about several.
        form: the normal form of the property.
        source: the bytes of the property file, or the text written for a property built in Python.
        sha256: of `source`, hexadecimal.
    """

    model: Model
    property: Property
    form: NormalForm
    source: bytes
    sha256: str


def digest(source: object) -> str | None:
    """The SHA-256 (hexadecimal) of what was given, None where it cannot be read or is no source."""
    if isinstance(source, Model):
        return source.sha256
    if isinstance(source, Property):
        return sha256(property_bytes(source)).hexdigest()
    if isinstance(source, bytes):
        return sha256(source).hexdigest()
    if not isinstance(source, str | Path):
        return None
    try:
        require_regular(source, LARGEST_FILE)
        with open(source, "rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except (OSError, BadInput):
        return None


def property_bytes(prop: Property) -> bytes:
    """The file a property was read from, or VNN-LIB text of one built in Python."""
    return to_vnnlib(prop).encode() if prop.source is None else prop.source


def read_model(source: ModelSource) -> Model:
    """Load a model.

    Raises:
        BadInput: it is missing or no valid model.
        UnsupportedInput: it uses something that is not supported.
    """
    if isinstance(source, Model):
        return source
    _require_source(source, "model")
    try:
        return load_model(source)
    except UnsupportedModel as error:
        place = f"{error.file}: operation {error.operation}" if error.operation else error.file
        remedy = f"; {error.remedy}" if error.remedy else ""
        raise UnsupportedInput(
            f"unsupported {error.op_type or 'model'} at {place}: {error.reason}{remedy}"
        ) from error
    except NetworkError as error:
        raise BadInput(str(error)) from error


def read_property(source: PropertySource) -> Property:
    """Read a property.

    Raises:
        BadInput: it is missing or malformed.
        UnsupportedInput: it uses something that is not supported.
    """
    if isinstance(source, Property):
        return source
    _require_source(source, "property")
    try:
        return read_vnnlib(source)
    except SpecError as error:
        raise BadInput(str(error)) from error
    except UnsupportedSpec as error:
        raise UnsupportedInput(f"unsupported property at {error}") from error


def _require_source(source: object, what: str) -> None:
    if isinstance(source, str | Path):
        require_regular(source, LARGEST_FILE)
    elif not isinstance(source, bytes):
        raise BadInput(f"{what}: {type(source).__name__} is no source: give a path, bytes or what was read")


def read_inputs(
    model_source: ModelSource, property_source: PropertySource, reader: ModelReader = read_model
) -> Inputs:
    """Read a model and a property and see that they fit.

    Args:
        model_source: the model.
        property_source: the property.
        reader: reads the model; one that keeps models saves reading them again.

    Raises:
        BadInput: one is missing or malformed, or the numbers of inputs or outputs differ.
        UnsupportedInput: one uses something that is not supported.
    """
    prop = read_property(property_source)
    try:
        model = several(reader(model_source), prop.instances)
    except TooLarge as error:
        raise UnsupportedInput(f"unsupported property: {error}") from error
    if (model.n_inputs, model.n_outputs) != (prop.n_inputs, prop.n_outputs):
        raise BadInput(
            f"{_name(property_source, 'property')} declares {prop.n_inputs} inputs and {prop.n_outputs}"
            f" outputs, {_name(model_source, 'model')} has {model.n_inputs} and {model.n_outputs}:"
            " give files that belong together"
        )
    try:
        form = normal_form(prop)
    except UnsupportedSpec as error:
        raise UnsupportedInput(f"unsupported property at {error}") from error
    source = property_bytes(prop)
    return Inputs(model, prop, form, source, sha256(source).hexdigest())


def _name(source: ModelSource | PropertySource, otherwise: str) -> str:
    return str(source) if isinstance(source, str | Path) else otherwise
