"""Chains of layers built from their declarations: every size, name and head checked."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from agentlens.errors import ManifestError
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.base import Preference
from agentlens.policies.layers import (
    COMBINATIONS,
    MAX_PARAMETERS,
    Shape,
    build_combination,
    build_layer,
)
from agentlens.spec import ObservationSpec

OBSERVATION = "observation"
"""What a chain reads that reads no other chain."""

_ACTORS = ({"logits"}, {"q_values"}, {"quantiles"}, {"atoms"}, {"advantage", "state_value"})


def input_shape(network: NetworkSpec, observation: ObservationSpec) -> Shape:
    """(K, rows, columns) of what the chains read.

    Raises:
        ManifestError: a reshape that does not hold the pixels of a plane.
    """
    planes, height, width = observation.shape
    if network.reshape is None:
        return observation.shape
    rows, columns = network.reshape
    if rows < 1 or rows * columns != height * width:
        raise ManifestError(
            f"network.reshape {rows}x{columns} does not hold the {height}x{width} pixels of "
            "a plane."
        )
    return (planes, rows, columns)


def build_chain(
    chain: ChainSpec, shapes: Mapping[str, Shape], where: str
) -> tuple[nn.ModuleList, Shape]:
    """Build the layers of one chain, still with PyTorch's default initialisation.

    Args:
        chain: what to build.
        shapes: of the observation and of every chain before, by name.
        where: dotted path of the chain in its file, for messages.

    Returns:
        The layers and the shape of what comes out.

    Raises:
        ManifestError: a name that is taken or unknown, or a layer that does not fit.
    """
    if not chain.name or "." in chain.name or chain.name in shapes:
        raise ManifestError(
            f"{where}.name: got {chain.name!r}, expected a name of its own without dots."
        )
    if chain.reads not in shapes:
        raise ManifestError(
            f"{where}.reads: got {chain.reads!r}, expected one of {', '.join(shapes)}."
        )
    before, layers, parameters = [shapes[chain.reads]], nn.ModuleList(), 0
    for index, layer in enumerate(chain.layers):
        place, shape = f"{where}.layers[{index}]", before[-1]
        if layer.kind in COMBINATIONS:
            other = _second_shape(layer, before, shapes, place)
            module, shape = build_combination(layer, shape, other, place)
        elif _is_final_softmax(chain, index):
            module = nn.LogSoftmax(dim=1)
        else:
            module, shape = build_layer(layer, shape, place)
        before.append(shape)
        layers.append(module)
        parameters += sum(p.numel() for p in module.parameters())
        if parameters > MAX_PARAMETERS:
            raise ManifestError(f"{where}: more than {MAX_PARAMETERS:,} parameters.")
    return layers, before[-1]


def _second_shape(
    layer: LayerSpec, before: list[Shape], shapes: Mapping[str, Shape], where: str
) -> Shape:
    """The shape of a combination's second input; ``before``: what went into each layer so far."""
    if (layer.back is None) == (layer.chain is None):
        raise ManifestError(
            f"{where}: {layer.kind} needs a second input; give back (layers skipped) or chain."
        )
    if layer.chain is not None:
        if layer.chain not in shapes:
            raise ManifestError(
                f"{where}.chain: got {layer.chain!r}, expected one of {', '.join(shapes)}."
            )
        return shapes[layer.chain]
    assert layer.back is not None
    if not 1 <= layer.back < len(before):
        raise ManifestError(
            f"{where}.back: got {layer.back}, expected 1 to {len(before) - 1}, the layers before."
        )
    return before[-1 - layer.back]


def _is_final_softmax(chain: ChainSpec, index: int) -> bool:
    """Whether a layer is the softmax that turns a head's logits into probabilities."""
    last = index == len(chain.layers) - 1
    return last and chain.output == "logits" and chain.layers[index].kind == "softmax"


def check_heads(
    network: NetworkSpec, shapes: Mapping[str, Shape], actions: int
) -> tuple[Preference, bool]:
    """Check that the outputs are those of one agent; says which, and whether it has a critic.

    Raises:
        ManifestError: outputs are missing, double, mixed up or of another size.
    """
    heads = {c.output: c for c in network.chains if c.output is not None}
    given = sorted(c.output for c in network.chains if c.output is not None)
    actor = set(given) - {"value"}
    if len(given) != len(heads) or actor not in _ACTORS:
        raise ManifestError(
            f"network.chains give {', '.join(given) or 'no output'}; expected one of logits, "
            "q_values, quantiles, atoms, or advantage and state_value, and a value at most once."
        )
    for output, chain in heads.items():
        wanted = actions * returns_by_action(chain)
        if output in ("value", "state_value"):
            wanted = 1
        if shapes[chain.name] != (wanted,):
            raise ManifestError(
                f"network chain {chain.name!r} gives {shapes[chain.name]}, expected ({wanted},) as "
                f"its {output} for {actions} actions."
            )
    return ("logits" if "logits" in actor else "q_values"), "value" in heads


def returns_by_action(chain: ChainSpec) -> int:
    """How many numbers a head gives for each action: 1, or its quantiles or atoms.

    Raises:
        ManifestError: these are missing, absurd, or given where there are none.
    """
    counts = {"quantiles": chain.quantiles, "atoms": chain.atoms}
    for name, count in counts.items():
        if chain.output == name and (count is None or not 1 <= count <= 10_000):
            raise ManifestError(
                f"network chain {chain.name!r}: {name} must be 1 to 10,000, got {count}."
            )
        if chain.output != name and count is not None:
            raise ManifestError(
                f'network chain {chain.name!r}: {name} goes with output = "{name}".'
            )
    low, high = chain.support or (0.0, 1.0)
    if (chain.output == "atoms") != (chain.support is not None) or not low < high:
        raise ManifestError(
            f"network chain {chain.name!r}: support [lowest, highest] goes with atoms, and only "
            f"with them; got {chain.support}."
        )
    return counts.get(chain.output or "") or 1
