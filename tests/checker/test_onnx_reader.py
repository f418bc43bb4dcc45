"""The checker's ONNX reader: what it accepts and means."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.checker.onnx_reader import evaluate, read_model
from hybrid_ai.checker.rejected import Unsupported
from hybrid_ai.checker.stages import Network
from tests.checker.models import f32, helper, i64, model, node, np, numpy_helper, reals


@dataclass(frozen=True)
class Good:
    """A model that is read: nodes, input shape, constants, and the kinds of its stages (r relu, l linear)."""

    nodes: list[Any]
    shape: list[Any]
    constants: dict[str, Any] = field(default_factory=dict)
    kinds: str = "l"
    opset: int = 13


def constant_node(name: str, value: Any) -> Any:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


GOOD = {
    "relu": Good([node("Relu", "x")], [1, 3], kinds="r"),
    "identity": Good([node("Identity", "x")], [1, 3], kinds=""),
    "gemm": Good([node("Gemm", "x w b")], [1, 3], {"w": reals(3, 2), "b": reals(2)}),
    "gemm alpha beta": Good(
        [node("Gemm", "x w b", alpha=0.5, beta=-2.0, transB=1)], [1, 3], {"w": reals(2, 3), "b": reals(1, 1)}
    ),
    "gemm transA": Good([node("Gemm", "w x b", transA=1)], [1, 3], {"w": reals(1, 2), "b": reals(2, 1)}),
    "gemm without c": Good([node("Gemm", "x w")], [1, 3], {"w": reals(3, 2)}),
    "gemm tensor c": Good(
        [node("Gemm", "x w", "a"), node("Gemm", "x w a", "y", beta=3.0)], [1, 3], {"w": reals(3, 2)}
    ),
    "gemm transposed twice": Good([node("Gemm", "w x", transA=1, transB=1)], [1, 3], {"w": reals(3, 4)}),
    "matmul right": Good([node("MatMul", "x w")], [1, 3], {"w": reals(3, 2)}),
    "matmul left": Good([node("MatMul", "w x")], [1, 3, 2], {"w": reals(4, 3)}),
    "matmul stack": Good([node("MatMul", "x w")], [1, 2, 2, 3], {"w": reals(3, 2)}),
    "matmul stack of one": Good([node("MatMul", "x w")], [1, 3], {"w": reals(1, 1, 3, 2)}),
    "matmul stack constant left": Good([node("MatMul", "w x")], [1, 2, 3, 2], {"w": reals(2, 3)}),
    "matmul vectors": Good([node("MatMul", "w x")], [3], {"w": reals(2, 3)}),
    "matmul vector dot": Good([node("MatMul", "x w")], [3], {"w": reals(3)}),
    "matmul chain": Good(
        [node("MatMul", "x w", "a"), node("MatMul", "a v")],
        [1, 3],
        {"w": reals(3, 2), "v": reals(2, 2)},
        kinds="ll",
    ),
    "cut serves two uses": Good(
        [
            node("MatMul", "x w", "a"),
            node("MatMul", "a v", "b"),
            node("MatMul", "a v", "c"),
            node("Add", "b c", "d"),
            node("Relu", "d"),
        ],
        [1, 3],
        {"w": reals(3, 2), "v": reals(2, 2)},
        kinds="lr",
    ),
    "alias keeps its forms": Good(
        [
            node("MatMul", "x w", "a"),
            node("Identity", "a", "e"),
            node("MatMul", "a v", "b"),
            node("Add", "b e"),
        ],
        [1, 3],
        {"w": reals(3, 2), "v": reals(2, 2)},
        kinds="ll",
    ),
    "constant matmul": Good(
        [node("MatMul", "w v", "c"), node("MatMul", "x c")], [1, 3], {"w": reals(3, 2), "v": reals(2, 2)}
    ),
    "add sub mul div": Good(
        [node("Add", "x a", "p"), node("Sub", "b p", "q"), node("Mul", "c q", "r"), node("Div", "r d")],
        [1, 3],
        {"a": f32(1, 2, 3), "b": f32(0.5), "c": f32(2, 3, 4), "d": f32(4)},
    ),
    "mul constant right": Good([node("Mul", "x c")], [1, 3], {"c": f32(0, 1, 2)}),
    "sub constant right": Good([node("Sub", "x c")], [1, 3], {"c": f32(0, 1, 2)}),
    "broadcast up": Good([node("Add", "x c")], [1, 3], {"c": reals(2, 1)}),
    "constants folded": Good(
        [node("Mul", "a b", "c"), node("Add", "c a", "d"), node("Sub", "b d", "e"), node("Mul", "x e")],
        [1, 3],
        {"a": f32(1, 2, 3), "b": f32(0.5)},
    ),
    "two tensors": Good(
        [node("Relu", "x", "a"), node("Sub", "a x", "b"), node("Add", "b a")], [1, 3], kinds="rl"
    ),
    "residual": Good(
        [
            node("Gemm", "x w", "a"),
            node("Relu", "a", "b"),
            node("Gemm", "b v", "c"),
            node("Add", "c x", "d"),
            node("Relu", "d"),
        ],
        [1, 3],
        {"w": reals(3, 4), "v": reals(4, 3)},
        kinds="rr",
    ),
    "flatten": Good([node("Flatten", "x")], [1, 2, 3], kinds=""),
    "flatten negative": Good([node("Flatten", "x", axis=-1)], [1, 2, 3], kinds=""),
    "reshape": Good([node("Reshape", "x s")], [1, 2, 3], {"s": i64(0, -1)}, kinds=""),
    "reshape allowzero": Good(
        [node("Reshape", "x s", allowzero=1)], [1, 2, 3], {"s": i64(3, -1)}, kinds="", opset=14
    ),
    "transpose": Good([node("Transpose", "x")], [1, 2, 3]),
    "transpose perm": Good([node("Transpose", "x", perm=[0, 2, 1])], [1, 2, 3]),
    "squeeze all": Good([node("Squeeze", "x")], [1, 1, 3], kinds=""),
    "squeeze input": Good([node("Squeeze", "x a")], [1, 1, 3], {"a": i64(1)}, kinds=""),
    "squeeze attribute": Good([node("Squeeze", "x", axes=[0])], [1, 1, 3], kinds="", opset=11),
    "unsqueeze input": Good([node("Unsqueeze", "x a")], [1, 3], {"a": i64(0, -1)}, kinds=""),
    "unsqueeze attribute": Good([node("Unsqueeze", "x", axes=[2])], [1, 3], kinds="", opset=11),
    "dropout": Good([node("Dropout", "x")], [1, 3], kinds=""),
    "dropout ratio input": Good([node("Dropout", "x r")], [1, 3], {"r": np.float32(0.5)}, kinds=""),
    "dropout ratio": Good([node("Dropout", "x", ratio=0.5)], [1, 3], kinds="", opset=10),
    "cast": Good([node("Cast", "x", to=1)], [1, 3], kinds=""),
    "cast of a constant": Good(
        [node("Cast", "c", "d", to=1), node("Add", "x d")], [1, 2], {"c": np.array([0.5, -2.0])}
    ),
    "cast of integers": Good(
        [node("Cast", "s", "t", to=6), node("Cast", "t", "u", to=7), node("Reshape", "x u")],
        [1, 3],
        {"s": i64(3, 1)},
        kinds="",
    ),
    "cast of integers to reals": Good(
        [node("Cast", "s", "f", to=1), node("Mul", "x f")], [1, 3], {"s": i64(3)}
    ),
    "constant tensor": Good([constant_node("c", f32(1, 2, 3)), node("Add", "x c")], [1, 3]),
    "constant float": Good([node("Constant", "", "c", value_float=0.3), node("Add", "x c")], [1, 3]),
    "constant ints": Good(
        [node("Constant", "", "s", value_ints=[3, 1]), node("Reshape", "x s")], [1, 3], kinds=""
    ),
    "constant int": Good([node("Constant", "", "i", value_int=1), node("Gather", "x i", axis=1)], [1, 3]),
    "leaky": Good([node("LeakyRelu", "x", alpha=0.25)], [1, 3], kinds="rl"),
    "leaky default, cut": Good(
        [node("Gemm", "x w", "a"), node("LeakyRelu", "a")], [1, 3], {"w": reals(3, 2)}, kinds="lrl"
    ),
    "clip both": Good(
        [node("Clip", "x a b")], [1, 3], {"a": np.float32(-0.5), "b": np.float32(0.7)}, kinds="rrl"
    ),
    "clip low": Good([node("Clip", "x a")], [1, 3], {"a": np.float32(-0.5)}, kinds="rl"),
    "clip high": Good([node("Clip", "x _ b")], [1, 3], {"b": np.float32(0.7)}, kinds="rl"),
    "clip none": Good([node("Clip", "x")], [1, 3], kinds=""),
    "clip crossed": Good([node("Clip", "x a b")], [1, 3], {"a": np.float32(2), "b": np.float32(1)}),
    "clip attributes": Good([node("Clip", "x", min=-0.5, max=0.5)], [1, 3], kinds="rrl", opset=10),
    "concat": Good(
        [node("Relu", "x", "r"), node("Concat", "x r c", axis=1)], [1, 3], {"c": reals(1, 2)}, kinds="rl"
    ),
    "slice": Good([node("Slice", "x s e a")], [1, 5], {"s": i64(1), "e": i64(2**62), "a": i64(-1)}),
    "slice backward": Good(
        [node("Slice", "x s e a t")], [1, 5], {"s": i64(-1), "e": i64(-(2**62)), "a": i64(1), "t": i64(-2)}
    ),
    "slice attributes": Good([node("Slice", "x", starts=[1], ends=[-1], axes=[1])], [1, 5], opset=9),
    "slice attributes without axes": Good([node("Slice", "x", starts=[0, 1], ends=[1, 3])], [1, 5], opset=9),
    "pad": Good([node("Pad", "x p v")], [1, 3], {"p": i64(0, 1, 0, 2), "v": np.float32(0.5)}),
    "pad attributes": Good(
        [node("Pad", "x", pads=[0, 1, 0, 2], value=0.5, mode="constant")], [1, 3], opset=10
    ),
    "pad axes": Good([node("Pad", "x p _ a")], [1, 3], {"p": i64(1, 2), "a": i64(-1)}, opset=18),
    "gather": Good(
        [node("Gather", "x i", axis=1)], [1, 3], {"i": np.array([[2, -1], [0, 1]], dtype=np.int64)}
    ),
    "shape chain": Good(
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n"),
            node("Unsqueeze", "n zeros", "u"),
            node("Concat", "u rest", "t", axis=0),
            node("Reshape", "x t"),
        ],
        [1, 2, 3],
        {"zero": np.int64(0), "zeros": i64(0), "rest": i64(-1)},
        kinds="",
    ),
    "shape part": Good(
        [node("Shape", "x", "s", start=-1), node("Reshape", "c s", "d"), node("Add", "x d")],
        [1, 3],
        {"c": reals(3, 1)},
        opset=15,
    ),
    "dead operations": Good([node("Conv", "x x", "z"), node("Relu", "x")], [1, 3], kinds="r"),
    "oldest opset": Good([node("Relu", "x")], [1, 3], kinds="r", opset=8),
}


# read here; the prover's reader supports less, which is its right
BEYOND_PROVER = ("gemm tensor c",)


def kinds_of(network: Network) -> str:
    return "".join("r" if stage.relu else "l" for stage in network.stages)


@pytest.mark.parametrize("name", GOOD)
def test_accepted_model_means_what_onnx_runtime_computes(name: str) -> None:
    runtime = pytest.importorskip("onnxruntime")
    case = GOOD[name]
    nodes = [n for n in case.nodes if n.op_type != "Conv"]
    data = model(case.nodes, case.shape, case.constants, opset=case.opset)
    network = read_model(data)
    assert kinds_of(network) == case.kinds
    assert network.output_group == len(network.stages)
    session = runtime.InferenceSession(model(nodes, case.shape, case.constants, opset=case.opset))
    for seed in range(4):
        x = reals(*case.shape, seed=seed)
        expected = session.run(["y"], {"x": x})[0].reshape(-1)
        exact = evaluate(network, [Fraction(float(value)) for value in x.reshape(-1)])
        np.testing.assert_allclose([float(value) for value in exact], expected, rtol=1e-4, atol=1e-5)


def test_random_networks_agree_with_onnx_runtime() -> None:
    runtime = pytest.importorskip("onnxruntime")
    for seed in range(5):
        constants = {
            "w": reals(4, 8, seed=seed),
            "b": reals(8, seed=seed + 50),
            "v": reals(8, 3, seed=seed + 9),
        }
        nodes = [node("Gemm", "x w b", "h"), node("Relu", "h", "r"), node("MatMul", "r v")]
        data = model(nodes, ["N", 4], constants)
        network = read_model(data)
        x = reals(1, 4, seed=seed)
        expected = runtime.InferenceSession(data).run(["y"], {"x": x})[0].reshape(-1)
        exact = evaluate(network, [Fraction(float(value)) for value in x.reshape(-1)])
        np.testing.assert_allclose([float(value) for value in exact], expected, rtol=1e-4, atol=1e-5)


def test_stage_is_exact_and_sparse() -> None:
    weights = np.array([[0.1, 0.0], [0.0, -2.0], [0.0, 0.0]], dtype=np.float32)
    network = read_model(model([node("Gemm", "x w b")], [1, 3], {"w": weights, "b": f32(0.3, 0)}))
    (stage,) = network.stages
    (block,) = stage.blocks
    assert (block.source, block.width) == (0, 3)
    assert block.rows == (((0, Fraction(float(np.float32(0.1)))),), ((1, Fraction(-2)),))
    assert stage.bias == (Fraction(float(np.float32(0.3))), Fraction(0))


def test_source_without_entries_has_no_block() -> None:
    nodes = [node("Relu", "x", "r"), node("Sub", "r r", "d"), node("Add", "d x", "e"), node("Relu", "e")]
    network = read_model(model(nodes, [1, 2]))
    assert [[block.source for block in stage.blocks] for stage in network.stages] == [[0], [0]]


def test_blocks_are_in_order_of_their_groups() -> None:
    nodes = [node("Relu", "x", "r"), node("Concat", "r x", "c", axis=1), node("Relu", "c")]
    network = read_model(model(nodes, [1, 2]))
    blocks = network.stages[1].blocks
    assert [block.source for block in blocks] == [0, 1]
    assert blocks[0].rows == ((), (), ((0, Fraction(1)),), ((1, Fraction(1)),))


def test_leaky_relu_default_slope_is_the_float32() -> None:
    network = read_model(model([node("LeakyRelu", "x")], [1, 1]))
    assert evaluate(network, [Fraction(-1)]) == [-Fraction(float(np.float32(0.01)))]


def test_output_that_ignores_the_input_is_a_stage_without_blocks() -> None:
    network = read_model(model([node("Identity", "c")], [1, 2], {"c": f32(1, 2)}))
    assert network.stages[0].blocks == () and evaluate(network, [Fraction(0)] * 2) == [1, 2]


def test_widening_cast() -> None:
    network = read_model(model([node("Cast", "x", to=11)], [1, 1], output_element=11))
    assert evaluate(network, [Fraction(1, 3)]) == [Fraction(1, 3)]


def test_double_model_and_double_data() -> None:
    data = model([node("Add", "x c")], [1, 1], {"c": np.array([0.1])}, element=11)
    assert evaluate(read_model(data), [Fraction(0)]) == [Fraction(0.1)]


@pytest.mark.parametrize("element", [1, 11])
def test_typed_data_is_read_like_raw_data(element: int) -> None:
    def typed(message: Any) -> None:
        message.graph.initializer[0].CopyFrom(helper.make_tensor("c", element, [3], [0.5, -1.0, 2.0]))

    data = model([node("Add", "x c")], [1, 3], {"c": f32(0, 0, 0)}, element=element, change=typed)
    assert evaluate(read_model(data), [Fraction(0)] * 3) == [Fraction(1, 2), -1, 2]


@pytest.mark.parametrize("element", [6, 7])
def test_typed_integers(element: int) -> None:
    def typed(message: Any) -> None:
        message.graph.initializer[0].CopyFrom(helper.make_tensor("s", element, [2], [2, -3]))

    nodes = [node("Gather", "x s", "r", axis=1), node("Relu", "r")]
    network = read_model(model(nodes, [1, 3], {"s": i64(1, 1)}, change=typed))
    assert evaluate(network, [Fraction(5), Fraction(6), Fraction(7)]) == [7, 5]


def test_initializer_listed_as_input_and_symbolic_batch() -> None:
    def list_it(message: Any) -> None:
        message.graph.input.append(helper.make_tensor_value_info("c", 1, [3]))

    data = model([node("Add", "x c")], ["batch", 3], {"c": f32(1, 2, 3)}, change=list_it)
    assert read_model(data).n_inputs == 3
    assert read_model(gzip.compress(data)) == read_model(data)


ODD = {
    "unused second output": model([node("Relu", "x", "y z")], [1, 3]),
    "constant listed as input twice": model(
        [node("Add", "x c", "a"), node("Relu", "a")],
        [1, 3],
        {"c": f32(0, 0, 0)},
        change=lambda m: m.graph.input.extend([helper.make_tensor_value_info("c", 1, [3])] * 2),
    ),
    "output declared otherwise": model([node("Relu", "x")], [1, 3], output_element=11, output_shape=[1, 4]),
    "open batch written as zero": model([node("Relu", "x")], [0, 3]),
    "open batch written as -1": model([node("Relu", "x")], [-1, 3]),
}


@pytest.mark.parametrize("name", ODD)
def test_oddities_that_leave_one_meaning_are_read(name: str) -> None:
    network = read_model(ODD[name])
    assert evaluate(network, [Fraction(-1), Fraction(0), Fraction(2)]) == [0, 0, 2]


@pytest.mark.parametrize(("kind", "expected"), [("Relu", 2), ("Clip", -3), ("LeakyRelu", 2)])
def test_activation_of_a_constant(kind: str, expected: int) -> None:
    values = {"c": f32(2 if expected > 0 else -3)}
    network = read_model(model([node(kind, "c", "d"), node("Add", "x d")], [1, 1], values))
    assert evaluate(network, [Fraction(0)]) == [expected]


def test_acas_and_mnist_are_read_in_time(data: Path) -> None:
    files = (
        ("acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx", 1.0),
        ("mnist_fc/onnx/mnist-net_256x2.onnx", 12.0),
    )
    for name, limit in files:  # several times the measured times: machines are shared
        content = (data / name).read_bytes()
        started = time.monotonic()
        network = read_model(content)
        evaluate(network, [Fraction(1, 3)] * network.n_inputs)
        assert time.monotonic() - started < limit


def compare(content: bytes, prover: Any) -> None:
    """The prover's reader gives the same stages, exactly."""
    mine, other = read_model(content), prover.load_model(content).staged
    assert (mine.n_inputs, mine.output_group) == (other.n_inputs, other.output_group)
    assert kinds_of(mine) == "".join("r" if stage.kind == "relu" else "l" for stage in other.stages)
    for left, right in zip(mine.stages, other.stages, strict=True):
        assert left.bias == tuple(right.exact.bias)
        assert [block.source for block in left.blocks] == [block.source for block in right.exact.blocks]
        for block, theirs in zip(left.blocks, right.exact.blocks, strict=True):
            assert (len(block.rows), block.width) == theirs.numerators.shape
            entries = {
                (row, column): value for row, members in enumerate(block.rows) for column, value in members
            }
            filled = {tuple(map(int, index)) for index in np.argwhere(theirs.numerators != 0)}
            assert filled == set(entries)
            assert all(theirs.entry(row, column) == value for (row, column), value in entries.items())


@pytest.mark.parametrize("name", [name for name in GOOD if name not in BEYOND_PROVER])
def test_small_model_agrees_with_the_provers_reader(name: str) -> None:
    prover = pytest.importorskip("hybrid_ai.network", reason="the prover's reader is not there")
    case = GOOD[name]
    compare(model(case.nodes, case.shape, case.constants, opset=case.opset), prover)


def test_public_models_agree_with_the_provers_reader(data: Path) -> None:
    prover = pytest.importorskip("hybrid_ai.network", reason="the prover's reader is not there")
    files = sorted(path for path in data.rglob("*.onnx") if path.parent.name != "verivital")
    assert files
    for path in files:
        compare(path.read_bytes(), prover)


@pytest.mark.parametrize("name", ["Convnet_avgpool", "Convnet_maxpool"])
def test_convolutional_networks_are_refused_by_name(data: Path, name: str) -> None:
    with pytest.raises(Unsupported, match=r"'Conv_0' \(Conv\)"):
        read_model((data / "verivital" / f"{name}.onnx").read_bytes())


def test_stored_models_agree_with_the_provers_reader() -> None:
    prover = pytest.importorskip("hybrid_ai.network", reason="the prover's reader is not there")
    files = sorted((Path(__file__).parent.parent / "data" / "models").glob("*.onnx"))
    assert files
    for path in files:
        compare(path.read_bytes(), prover)


@pytest.mark.parametrize("base", [2.0, -2.0, 0.5])
def test_the_longest_numbers(base: float) -> None:
    # base^(1 + 2 + 4 + ... + 2048) = base^4095 has 4096 bits, once more the base one more
    nodes = [node("Mul", f"s{k} s{k}", f"s{k + 1}") for k in range(11)]
    nodes += [node("Mul", f"p{k} s{k + 1}", f"p{k + 1}") for k in range(11)]
    nodes[11] = node("Mul", "s0 s1", "p1")
    (stage,) = read_model(model([*nodes, node("Add", "x p11")], [1, 1], {"s0": f32(base)})).stages
    assert stage.bias == (Fraction(base) ** 4095,)
    longer = [*nodes, node("Mul", "p11 s0", "q"), node("Mul", "q z", "r"), node("Add", "x r")]
    with pytest.raises(Unsupported, match="a number of more than 4096 bits"):
        read_model(model(longer, [1, 1], {"s0": f32(base), "z": f32(0)}))
    negated = [*nodes, node("Mul", "x p11", "q"), node("Mul", "q m")]
    with pytest.raises(Unsupported, match="a number of more than 4096 bits"):
        read_model(model(negated, [1, 1], {"s0": f32(base), "m": f32(-base)}))
