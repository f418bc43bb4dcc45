"""auto_LiRPA's optimised slopes as hints for the root of a search: untrusted, bounded again by us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from hybrid_ai.bench.auto_lirpa import PeerNetwork, require_auto_lirpa
from hybrid_ai.network import Block, Stage, StagedNetwork
from hybrid_ai.search.hints import Hints, HintSource, NoHints, RootQuestion

MOST_NEURONS = 2048  # of each neuron the slopes of all others are held
# Of the optimisation, by auto_LiRPA's names; slopes of the neurons' own bounds are optimised with the rows'.
ITERATIONS = 40
OPTIONS: Mapping[str, Any] = MappingProxyType(
    {"iteration": ITERATIONS, "lr_alpha": 0.1, "fix_interm_bounds": False, "early_stop_patience": ITERATIONS}
)


def hint_source() -> HintSource:
    """`propose_slopes`, once it is known that auto_LiRPA is there.

    Raises:
        AutoLirpaMissing: auto_LiRPA or PyTorch is missing or too old; the message names the remedy.
    """
    require_auto_lirpa()
    return propose_slopes


def propose_slopes(question: RootQuestion) -> Hints:
    """Slopes that alpha-CROWN finds for the rows of a question, and for the neurons on the way.

    Args:
        question: network, box and rows.

    Raises:
        AutoLirpaMissing: auto_LiRPA or PyTorch is missing or too old.
        NoHints: the network is too large, or auto_LiRPA can't bound it.
    """
    if question.staged.neuron_count > MOST_NEURONS:
        raise NoHints(f"auto_LiRPA: more than {MOST_NEURONS} neurons")
    if question.offsets.size == 0 or question.staged.neuron_count == 0:
        raise NoHints("auto_LiRPA: there is no slope to choose")
    require_auto_lirpa()
    try:
        network = PeerNetwork(_with_rows(question), "double", {**OPTIONS, "max_time": question.seconds})
        network.run(network.boxes(question.lower[None], question.upper[None]), "alpha", upper=False)
    except Exception as error:  # whatever another program fails by, we go on without it
        raise NoHints(f"auto_LiRPA: {type(error).__name__}: {str(error)[:200]}") from error
    hints = _read(network.bounded, question)
    if not (np.all(np.isfinite(hints.neurons)) and np.all(np.isfinite(hints.rows))):
        raise NoHints("auto_LiRPA: its slopes are no numbers")
    return hints


def _with_rows(question: RootQuestion) -> StagedNetwork:
    """The network with one more stage, whose outputs are the rows."""
    staged, blocks, first = question.staged, [], 0
    for group, size in enumerate(staged.group_sizes):
        part = question.rows[:, first : first + size]
        if np.any(part):
            blocks.append(Block(group, part))
        first += size
    weights = tuple(block.weights for block in blocks)
    stage = Stage("linear", tuple(blocks), question.offsets, weights, question.offsets)
    sizes = (*staged.group_sizes, stage.size)
    return replace(staged, stages=(*staged.stages, stage), output_group=len(sizes) - 1, group_sizes=sizes)


def _read(bounded: Any, question: RootQuestion) -> Hints:
    """The slopes that auto_LiRPA has left in its relu nodes.

    Raises:
        NoHints: its nodes are not the network's stages.
    """
    sizes = [stage.size for stage in question.staged.stages if stage.kind == "relu"]
    nodes = list(bounded.relus)
    if [int(np.prod(node.shape)) for node in nodes] != sizes:
        raise NoHints("auto_LiRPA: its graph is not the network's")
    count, firsts = sum(sizes), np.concatenate([[0], np.cumsum(sizes)]).tolist()
    neurons, rows = np.zeros((count, 2, count)), np.zeros((question.offsets.size, count))
    for k, node in enumerate(nodes):
        here = slice(firsts[k], firsts[k + 1])
        rows[:, here] = _slopes(node, bounded.final_name)[0]
        for j in range(k + 1, len(nodes)):
            name = nodes[j].inputs[0].name
            if name in node.alpha:
                there = slice(firsts[j], firsts[j + 1])
                neurons[there, :, here] = _slopes(node, name).transpose(1, 0, 2)
    return Hints(neurons, rows)


def _slopes(node: Any, start: str) -> np.ndarray:
    """A node's slopes for bounding the elements of a node above, (2 sides, elements, neurons)."""
    alpha = node.alpha[start].detach().numpy()
    return np.asarray(alpha, np.float64).reshape(2, alpha.shape[1], -1)
