"""Agents whose cause is known because their weights were set by hand."""

from __future__ import annotations

import numpy as np
import torch

from agentlens.envs.causes.kind import WORLDS
from agentlens.envs.causes.mosaic import CELL, GLYPH, MEANINGS, foreground
from agentlens.envs.protocols import resolve
from agentlens.errors import UnknownName
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.agent import Agent
from agentlens.policies.networks import build_policy
from agentlens.spec import ActionSpec, AgentSpec

GAIN, LEAK = 30.0, 0.05
"""Of the response to a glyph in the logits; what every cell passes on with no glyph in it, so that
all of them stay in play as in a trained network."""


_TEMPLATES = NetworkSpec(
    chains=(
        ChainSpec(
            name="templates",
            layers=(
                LayerSpec(kind="conv", out=len(MEANINGS), kernel=CELL, stride=CELL),
                LayerSpec(kind="relu"),
                LayerSpec(kind="flatten"),
            ),
        ),
        ChainSpec(
            name="actor",
            reads="templates",
            layers=(LayerSpec(kind="linear", out=len(MEANINGS)),),
            output="logits",
        ),
    )
)
"""One template an action, compared with every cell; what passes counts for its action."""


def mosaic_agent(world: str) -> Agent:
    """An agent that reads a mosaic by one template for each action.

    A convolution as large as a cell compares every cell of one plane with the four foreground
    glyphs; what passes the threshold counts for its action. Distractors look the same upside
    down, so the templates do not respond to them. It is right in all but a few decisions, and
    what it depends on is the foreground's cell, in the plane ``delay`` decisions back.

    Args:
        world: an id of ``WORLDS``.

    Raises:
        UnknownName: no such world.
    """
    if world not in WORLDS:
        raise UnknownName("world whose cause is known", world, WORLDS)
    resolved = resolve(world)
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
        network=_TEMPLATES,
    )
    policy = build_policy(_TEMPLATES, spec.observation, spec.action)
    cells = WORLDS[world]["cells"] ** 2
    templates, actor = (
        module
        for module in policy.modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    )
    with torch.no_grad():
        templates.weight.zero_()
        torch.nn.init.constant_(_bias(templates), LEAK)
        actor.weight.zero_()
        torch.nn.init.constant_(_bias(actor), -GAIN * LEAK * cells)
        for action in range(len(MEANINGS)):
            glyph = foreground(action)
            share = torch.from_numpy((glyph / np.abs(glyph).sum()).astype(np.float32))
            templates.weight[action, 0, GLYPH, GLYPH] = share
            actor.weight[action, action * cells : (action + 1) * cells] = GAIN
    return Agent(spec=spec, policy=policy)


def _bias(layer: torch.nn.Conv2d | torch.nn.Linear) -> torch.Tensor:
    assert layer.bias is not None  # both are declared with one
    return layer.bias
