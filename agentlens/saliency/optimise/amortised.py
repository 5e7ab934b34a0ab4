"""Maps from a mask network that was learned beforehand: one small pass a frame.

Shape letters: F frames, P plane selections, gy gx mask cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agentlens.errors import InvalidArgument
from agentlens.mapping import decode
from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.engine.settings import device_of, dtype_of
from agentlens.saliency.masks import plane_selections
from agentlens.saliency.optimise.explainer import learned_meaning
from agentlens.saliency.optimise.network import MaskNetwork, MaskNetworkSpec, build_network
from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.saliency.question import Question, ask
from agentlens.saliency.targets import TARGETS
from agentlens.spec import GridSpec, TargetInfo

_ROWS = 16
"""Frames of every pass; fewer are filled up, so that a map does not depend on company."""


class NetworkExplainer:
    """A mask network beside its policy; an ``Explainer``.

    Notes:
        One pass of the network and one of the policy a step.
    """

    forward_passes = 2

    def __init__(self, network: MaskNetwork, question: Question, about: Mapping[str, Any]) -> None:
        self._network, self._question = network, question
        spec = network.spec
        self.planes = tuple(str(name) for name in about["planes"])
        self.grid = _grid(spec)
        passed = about.get("gate", {}).get("passed")
        verdict = {True: "passed", False: "FAILED"}.get(passed, "was not measured")
        self.engine = f"mask network: its fidelity gate {verdict}"
        self.targets = (_described(str(about["target"]), verdict),)

    @torch.no_grad()
    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        full = len(frames) // _ROWS * _ROWS
        logits = [
            self._network(frames.observations[a : a + _ROWS], _part(frames.states, a, a + _ROWS))
            for a in range(0, full, _ROWS)
        ]
        if full < len(frames):
            last = frames.rows(np.minimum(full + np.arange(_ROWS), len(frames) - 1))
            rest = self._network(last.observations, last.states)
            logits.append(rest[: len(frames) - full])
        shown = torch.sigmoid(-torch.cat(logits))
        explained = frames.actions
        if self._question.action != "taken":
            policy = self._question.policy
            base = policy(frames.observations, frames.states)
            explained = self._question.explained(base, frames.actions)
        return MapBatch(shown[:, None].float(), explained)


def _part(states: Tensor | None, start: int, stop: int) -> Tensor | None:
    return None if states is None else states[start:stop]


def network_explainer(
    policy: Policy, asked: LearnedMaskOptions, facts: RecordingFacts
) -> NetworkExplainer:
    """The explainer of a learned mask network.

    Raises:
        InvalidArgument: it was learned for other observations, planes or scores than are asked.
        ManifestError, WeightMismatch: its description or tensors are not what they should be.
    """
    artefact = facts.artefact
    assert artefact is not None  # the caller saw it
    spec = decode(MaskNetworkSpec, artefact.about.get("network", {}), "network")
    if spec.observation != policy.observation_shape or spec.state != policy.state_size:
        raise InvalidArgument(
            f"the mask network is for observations {spec.observation} and a state of {spec.state}; "
            f"this agent sees {policy.observation_shape} and has {policy.state_size}."
        )
    names, _ = plane_selections(asked.planes, policy.observation_shape[0], policy.channels)
    if tuple(artefact.about.get("planes", ())) != names:
        raise InvalidArgument(
            f"the mask network knows planes {artefact.about.get('planes')}, asked were {names}: "
            "learn one for them."
        )
    target = artefact.about.get("target")
    if target not in TARGETS or asked.targets not in (None, (target,)):
        raise InvalidArgument(f"the mask network was learned from {target!r}, not {asked.targets}.")
    network = build_network(spec, artefact.tensors)
    network.to(device_of(policy), dtype_of(policy))
    return NetworkExplainer(network, ask(policy, asked, facts), artefact.about)


def _grid(spec: MaskNetworkSpec) -> GridSpec:
    height, width = spec.observation[1:]
    lines = [
        tuple((i + 0.5) * size / count - 0.5 for i in range(count))
        for size, count in zip((height, width), spec.cells, strict=True)
    ]
    return GridSpec(rows=lines[0], columns=lines[1], observation=(height, width))


def _described(target: str, verdict: str) -> TargetInfo:
    info = learned_meaning(TARGETS[target], "preserve")
    meaning = f"approximate: {info.meaning}; fidelity gate {verdict}"
    return dataclasses.replace(info, meaning=meaning)
