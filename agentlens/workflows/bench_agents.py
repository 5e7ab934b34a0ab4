"""Agents whose cause is known because their weights were set by hand."""

from __future__ import annotations

import numpy as np
import torch

from agentlens.envs.causes.kind import WORLDS
from agentlens.envs.causes.mosaic import CELL, CHEAT, GLYPH, MEANINGS, foreground
from agentlens.envs.protocols import resolve
from agentlens.errors import UnknownName
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.agent import Agent
from agentlens.policies.networks import build_policy
from agentlens.spec import ActionSpec, AgentSpec

GAIN, LEAK = 30.0, 0.05
"""Of the response to a glyph in the logits; what every cell passes on with no glyph in it, so that
all of them stay in play as in a trained network."""


_TEMPLATES = ChainSpec(
    name="templates",
    layers=(
        LayerSpec(kind="conv", out=len(MEANINGS), kernel=CELL, stride=CELL),
        LayerSpec(kind="relu"),
        LayerSpec(kind="flatten"),
    ),
)
"""One template an action, compared with every cell; what passes counts for its action."""

_MEMORY = ChainSpec(
    name="memory",
    reads="templates",
    layers=(LayerSpec(kind="gru", out=3 * len(MEANINGS)),),
)
"""What was seen at this decision, at the one before and at the one before that."""

_SHUT, _WRITE, _PASS = 20.0, 1.0, 1.0
"""Bias that holds a gate of the memory open or shut; what it takes of the templates; what it
hands on from one decision to the next. Responses to a glyph are below .4, where a tanh is almost
a straight line: memory hands on how much was seen, and not only that something was."""


def _network(remembers: bool) -> NetworkSpec:
    actor = ChainSpec(
        name="actor",
        reads="memory" if remembers else "templates",
        layers=(LayerSpec(kind="linear", out=len(MEANINGS)),),
        output="logits",
    )
    return NetworkSpec(chains=(_TEMPLATES, *((_MEMORY,) if remembers else ()), actor))


def mosaic_agent(world: str) -> Agent:
    """An agent that reads a mosaic by one template for each action.

    A convolution as large as a cell compares every cell of one plane with the four foreground
    glyphs; what passes the threshold counts for its action. Distractors look the same upside
    down, so the templates do not respond to them. It is right in all but a few decisions, and
    what it depends on is the foreground's cell, in the plane ``delay`` decisions back. Where the
    stack does not reach back so far, a GRU whose gates are held open hands on what was seen. In
    the world with a cheat the templates respond to the corner alone.

    Args:
        world: an id of ``WORLDS``.

    Raises:
        UnknownName: no such world.
    """
    if world not in WORLDS:
        raise UnknownName("world whose cause is known", world, WORLDS)
    resolved, network = resolve(world), _network("stack" in WORLDS[world])
    spec = AgentSpec(
        name=f"planted-{world.removesuffix('-v0').lower()}",
        format="safetensors",
        weights="policy.safetensors",
        algorithm="set by hand",
        licence="MIT",
        source="weights that follow from the world's glyphs",
        environment=resolved.environment,
        observation=resolved.observation,
        action=ActionSpec(
            meanings=MEANINGS, selection="greedy", reason="its logits are a reading, not a policy"
        ),
        network=network,
    )
    policy = build_policy(network, spec.observation, spec.action)
    cells, modules = WORLDS[world]["cells"] ** 2, list(policy.modules())
    (templates,) = (module for module in modules if isinstance(module, torch.nn.Conv2d))
    (actor,) = (module for module in modules if isinstance(module, torch.nn.Linear))
    memories = [module for module in modules if isinstance(module, torch.nn.GRUCell)]
    with torch.no_grad():
        _set_templates(templates, cheat="cheat" in WORLDS[world])
        actor.weight.zero_()
        if memories:
            _set_memory(memories[0], cells)
            torch.nn.init.zeros_(_bias(actor))
            actor.weight[:, -len(MEANINGS) :] = GAIN * torch.eye(len(MEANINGS))
        else:
            torch.nn.init.constant_(_bias(actor), -GAIN * LEAK * cells)
            for action in range(len(MEANINGS)):
                actor.weight[action, action * cells : (action + 1) * cells] = GAIN
    return Agent(spec=spec, policy=policy)


def _set_templates(templates: torch.nn.Conv2d, *, cheat: bool) -> None:
    """What each action's template responds to: its glyph, or its pixels in the corner."""
    templates.weight.zero_()
    torch.nn.init.constant_(_bias(templates), LEAK)
    for action in range(len(MEANINGS)):
        wanted = np.zeros((CELL, CELL))
        if cheat:
            for other, place in enumerate(CHEAT):
                wanted[place] = 1.0 if other == action else -1.0 / (len(CHEAT) - 1)
        else:
            wanted[GLYPH, GLYPH] = foreground(action)
        share = torch.from_numpy((wanted / np.abs(wanted).sum()).astype(np.float32))
        templates.weight[action, 0] = share


def _set_memory(memory: torch.nn.GRUCell, cells: int) -> None:
    """A shift register: each third of the state takes over what the one before it held."""
    for parameter in memory.parameters():
        parameter.zero_()
    size, count = memory.hidden_size, len(MEANINGS)
    memory.bias_ih[:size] = _SHUT  # reset gate: the past is let in
    memory.bias_ih[size : 2 * size] = -_SHUT  # update gate: nothing stays where it was
    memory.bias_ih[2 * size : 2 * size + count] = -_WRITE * LEAK * cells
    for action in range(count):
        seen = slice(action * cells, (action + 1) * cells)
        memory.weight_ih[2 * size + action, seen] = _WRITE
    for unit in range(count, size):
        memory.weight_hh[2 * size + unit, unit - count] = _PASS


def _bias(layer: torch.nn.Conv2d | torch.nn.Linear) -> torch.Tensor:
    assert layer.bias is not None  # both are declared with one
    return layer.bias
