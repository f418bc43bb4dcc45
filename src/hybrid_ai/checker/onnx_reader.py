"""Reader of ONNX models into the network normal form of the certificate format, section 3."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from hybrid_ai.checker import arithmetic_operations as arithmetic
from hybrid_ai.checker import float32, protobuf, tensors
from hybrid_ai.checker import movement_operations as movement
from hybrid_ai.checker.operation import Operation
from hybrid_ai.checker.protobuf import Message
from hybrid_ai.checker.rejected import Malformed, Unsupported, refuse_if
from hybrid_ai.checker.stages import Block, Network, Stage, StageBuilder, evaluate
from hybrid_ai.checker.tensors import INTEGER_TYPES, REAL_TYPES, Tensor, check_size, read_tensor
from hybrid_ai.checker.unpacking import unpacked

__all__ = ["Block", "Network", "Stage", "evaluate", "read_model"]

LARGEST_MODEL = 2**30
OLDEST_OPSET, NEWEST_OPSET = 8, 28
_DEFAULT_DOMAINS = ("", "ai.onnx")

_REQUIRED = object()
# values of AttributeProto.type -> the field that holds such an attribute
_FLOAT, _INT, _STRING, _TENSOR, _INTS = 1, 2, 3, 4, 7
_VALUE_FIELDS = {_FLOAT: "f", _INT: "i", _STRING: "s", _TENSOR: "t", _INTS: "ints"}


class Argument(NamedTuple):
    """An attribute from opset `first` to `last`; a constant input at `position` > 0 in other opsets."""

    kind: int
    default: Any = None
    first: int = OLDEST_OPSET
    last: int = NEWEST_OPSET
    position: int = 0


class Rule(NamedTuple):
    """How an operation is read: how many tensors it takes at most, and its arguments by name."""

    read: Callable[[Operation], Tensor]
    tensors: int = 1
    arguments: Mapping[str, Argument] = {}


def _integers(position: int, since: int = OLDEST_OPSET, default: Any = None) -> Argument:
    """A list of integers that is an attribute before opset `since`, and an input from there on."""
    return Argument(_INTS, default, last=since - 1, position=position)


def _late_integers(position: int, since: int) -> Argument:
    """A list of integers that is an input from opset `since` on, and nothing before."""
    return Argument(_INTS, first=since, last=since - 1, position=position)


def _number(position: int, since: int, default: Any = None) -> Argument:
    """A number that is an attribute before opset `since`, and an input from there on."""
    return Argument(_FLOAT, default, last=since - 1, position=position)


# from opset 11 on, their axes may count from the end
_LATE_NEGATIVE_AXES = ("Concat", "Flatten", "Squeeze", "Unsqueeze")
# the float32 nearest to 0.01
_LEAKY_SLOPE = Fraction(5368709, 2**29)
_SCALE, _FLAG = Argument(_FLOAT, Fraction(1)), Argument(_INT, 0)

RULES: Mapping[str, Rule] = {
    "Add": Rule(arithmetic.add, 2),
    "Cast": Rule(arithmetic.cast, 1, {"to": Argument(_INT, _REQUIRED)}),
    "Clip": Rule(arithmetic.clip, 1, {"min": _number(1, 11), "max": _number(2, 11)}),
    "Concat": Rule(movement.concat, 10_000, {"axis": Argument(_INT, _REQUIRED)}),
    "Constant": Rule(movement.constant_of, 0, {
        "value": Argument(_TENSOR), "value_float": Argument(_FLOAT, first=12),
        "value_int": Argument(_INT, first=12), "value_ints": Argument(_INTS, first=12),
    }),
    "Div": Rule(arithmetic.divide, 2),
    "Dropout": Rule(movement.identity, 1, {"ratio": _number(1, 12), "seed": Argument(_INT, first=12)}),
    "Flatten": Rule(movement.flatten, 1, {"axis": Argument(_INT, 1)}),
    "Gather": Rule(movement.gather, 2, {"axis": Argument(_INT, 0)}),
    "Gemm": Rule(arithmetic.gemm, 3, {"alpha": _SCALE, "beta": _SCALE, "transA": _FLAG, "transB": _FLAG}),
    "Identity": Rule(movement.identity),
    "LeakyRelu": Rule(arithmetic.leaky_relu, 1, {"alpha": Argument(_FLOAT, _LEAKY_SLOPE)}),
    "MatMul": Rule(arithmetic.matmul, 2),
    "Mul": Rule(arithmetic.multiply, 2),
    "Pad": Rule(movement.pad, 1, {
        "mode": Argument(_STRING, "constant"), "pads": _integers(1, 11, _REQUIRED),
        "value": _number(2, 11, Fraction(0)), "axes": _late_integers(3, 18),
    }),
    "Relu": Rule(arithmetic.relu),
    "Reshape": Rule(movement.reshape, 1, {
        "shape": _integers(1, default=_REQUIRED), "allowzero": Argument(_INT, 0, first=14),
    }),
    "Shape": Rule(movement.shape_of, 1, {
        "start": Argument(_INT, 0, first=15), "end": Argument(_INT, first=15),
    }),
    "Slice": Rule(movement.slice_tensor, 1, {
        "starts": _integers(1, 10, _REQUIRED), "ends": _integers(2, 10, _REQUIRED),
        "axes": _integers(3, 10), "steps": _late_integers(4, 10),
    }),
    "Squeeze": Rule(movement.squeeze, 1, {"axes": _integers(1, 13)}),
    "Sub": Rule(arithmetic.subtract, 2),
    "Transpose": Rule(movement.transpose, 1, {"perm": Argument(_INTS)}),
    "Unsqueeze": Rule(movement.unsqueeze, 1, {"axes": _integers(1, 13, _REQUIRED)}),
}  # fmt: skip


def read_model(data: bytes) -> Network:
    """Read an ONNX model (gzip accepted) into stages of exact rationals.

    Sound because: whatever this module does not know (operation, attribute, field, type, opset) is refused.

    Args:
        data: contents of the model file.

    Raises:
        Malformed: the model is broken or meaningless; names byte, tensor or operation.
        Unsupported: it is well formed but outside what is read; names the operation and its type.
    """
    model = protobuf.parse(protobuf.MODEL, unpacked(data, "model", LARGEST_MODEL))
    versions = [entry["version"] for entry in model["opset_import"] if entry["domain"] in _DEFAULT_DOMAINS]
    if model["graph"] is None or len(versions) != 1:
        raise Malformed("model", "file", "needs one graph and one version of the default domain")
    known = OLDEST_OPSET <= versions[0] <= NEWEST_OPSET
    reason = f"opset {versions[0]}, read are {OLDEST_OPSET} to {NEWEST_OPSET}"
    refuse_if(not known, Unsupported, "model", "opset_import", reason)
    return _read_graph(model["graph"], versions[0])


def _read_graph(graph: Message, opset: int) -> Network:
    initializers = {tensor["name"]: tensor for tensor in graph["initializer"]}
    inputs = [info for info in graph["input"] if info["name"] not in initializers]
    counts = (len(inputs), len(graph["output"]))
    refuse_if(counts != (1, 1), Unsupported, "model", "graph", f"(inputs, outputs) are {counts}, not (1, 1)")
    defined = Counter(message["name"] for message in (*inputs, *graph["initializer"]))
    defined.update(name for node in graph["node"] for name in node["output"] if name)
    name, times = defined.most_common(1)[0]
    refuse_if(times > 1, Malformed, "model", "graph", f"tensor '{name}' is defined twice")
    input_name, output = inputs[0]["name"], graph["output"][0]
    needed = _needed(graph["node"], output["name"])

    element, shape = _input_type(inputs[0])
    builder = StageBuilder([math.prod(shape)])
    values = {input_name: builder.group_tensor(0, shape, element)}
    for name, message in initializers.items():
        if name in needed:
            values[name] = read_tensor(message, f"initializer '{name}'")
    for index, node in enumerate(graph["node"]):
        if needed.intersection(node["output"]):
            where = f"operation '{node['name'] or '#' + str(index)}' ({node['op_type']})"
            if needed.intersection(node["output"][1:]):
                raise Unsupported("model", where, "its second output is used")
            values[node["output"][0]] = _read_node(node, where, opset, values, builder)
    refuse_if(output["name"] not in values, Malformed, "model", "output", "no operation computes it")
    result = values[output["name"]]
    refuse_if(result.element not in REAL_TYPES, Unsupported, "model", "output", "its elements are no reals")
    group = builder.plain_group(result)
    if group is None:
        builder.append(result, relu=False)
        group = len(builder.stages)
    return Network(builder.sizes[0], tuple(builder.stages), group, element == tensors.DOUBLE)


def _needed(nodes: Sequence[Message], output_name: str) -> set[str]:
    """Names of the tensors the output depends on; files list operations in order of computation."""
    needed = {output_name}
    for node in reversed(nodes):
        if needed.intersection(node["output"]):
            needed.update(node["input"])
    return needed - {""}


def _input_type(info: Message) -> tuple[int, tuple[int, ...]]:
    where = f"input '{info['name']}'"
    tensor = info["type"] and info["type"]["tensor_type"]
    if tensor is None or tensor["shape"] is None or tensor["elem_type"] not in REAL_TYPES:
        raise Unsupported("model", where, "not declared as a tensor of float32 or float64 with a shape")
    sizes = [axis["dim_value"] for axis in tensor["shape"]["dim"]]
    if len(sizes) > 1 and sizes[0] in (0, -1):
        sizes[0] = 1  # exporters write an open batch as a name, 0, -1 or nothing; one instance is read
    check_size(sizes, False, where)
    refuse_if(len(sizes) > 1 and sizes[0] != 1, Unsupported, "model", where, f"{sizes}, batch above one")
    return tensor["elem_type"], tuple(sizes)


def _read_node(
    node: Message, where: str, opset: int, values: dict[str, Tensor], builder: StageBuilder
) -> Tensor:
    kind, domain = node["op_type"], node["domain"]
    if domain not in _DEFAULT_DOMAINS or kind not in RULES:
        raise Unsupported("model", where, f"operation {kind} of domain '{domain}' is not read")
    arguments: dict[str, Any] = {}
    op = Operation(where, node["input"], arguments, values, builder)
    given = _attributes(node["attribute"], where)
    positions = set(range(RULES[kind].tensors))
    for name, argument in RULES[kind].arguments.items():
        value = None
        if argument.first <= opset <= argument.last:
            value = given.pop((name, argument.kind), None)
        elif argument.position and opset > argument.last and op.has_input(argument.position):
            positions.add(argument.position)
            value = _constant_input(op, argument)
        op.refuse_if(value is None and argument.default is _REQUIRED, f"'{name}' is missing")
        arguments[name] = argument.default if value is None else value
    op.refuse_if(bool(given), f"attributes (name, type) {list(given)} in opset {opset}", Unsupported)
    extra = [name for index, name in enumerate(node["input"]) if name and index not in positions]
    op.refuse_if(bool(extra), f"inputs {extra} are too many in opset {opset}")
    if opset < 11:
        op.refuse_if(kind == "Gemm" and not op.has_input(2), f"input 2 is missing, which opset {opset} needs")
        axes = arguments.get("axes") or [arguments.get("axis") or 0]
        negative = kind in _LATE_NEGATIVE_AXES and min(axes) < 0
        op.refuse_if(negative, f"axis {min(axes)} is negative, which opset {opset} does not allow")
    result = RULES[kind].read(op)
    check_size(result.shape, result.constant, where)
    return result


def _attributes(messages: Sequence[Message], where: str) -> dict[tuple[str, int], Any]:
    """The given attributes by name and type, floats as rationals and tensors decoded."""
    given: dict[tuple[str, int], Any] = {}
    for message in messages:
        name, kind = message["name"], message["type"]
        if kind not in _VALUE_FIELDS or any(name == known for known, _ in given):
            raise Unsupported("model", where, f"attribute '{name}' of type {kind}, or given twice")
        value = message[_VALUE_FIELDS[kind]]
        if value is None:
            raise Malformed("model", where, f"attribute '{name}' holds no tensor")
        if kind == _FLOAT:
            value = tensors.constant((), tensors.FLOAT, [value], where).forms[0].constant
        elif kind == _TENSOR:
            value = read_tensor(value, where)
        given[name, kind] = value
    return given


def _constant_input(op: Operation, argument: Argument) -> Any:
    """A list of integers, or one number of the type of the first input."""
    value, is_list = op.value(argument.position), argument.kind == _INTS
    elements = INTEGER_TYPES if is_list else (op.value(0).element,)
    wrong = value.element not in elements or len(value.shape) > 1 or (not is_list and len(value.forms) != 1)
    op.refuse_if(not value.constant, f"input {argument.position} is not constant", Unsupported)
    rounded = float32.is_computed(value.cost)
    op.refuse_if(rounded, f"input {argument.position} is computed, which runtimes round", Unsupported)
    op.refuse_if(wrong, f"input {argument.position} has the wrong type or shape")
    return [int(form.constant) for form in value.forms] if is_list else value.forms[0].constant
