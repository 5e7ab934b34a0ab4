"""The arms of an intervention: what each hides or holds.

Shape letters: H W observation.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.metrics._pixels import to_pixels, top_pixels
from agentlens.metrics._recorded import bind, median_picture
from agentlens.policies.agent import Agent
from agentlens.rollout.hiding import Fill, Hide, Mask, Sight, hide
from agentlens.rollout.intervene import Arm, Branch
from agentlens.rollout.places import ram_edits, region_mask, rolled
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.configure import configure
from agentlens.saliency.references import parse_reference
from agentlens.store.recording import Recording
from agentlens.workflows.intervene_options import UNTOUCHED, Intervention, random_twin

_RANDOM_SEED = 7
"""Of the random regions' places; the branch's number is the rest of it."""


def arms_of(
    recording: Recording, agent: Agent, intervention: Intervention, branches: Sequence[Branch]
) -> list[Arm]:
    """The untouched arm, each changed one and, where something is hidden, its random twin.

    Raises:
        UnknownName, InvalidArgument: no such region, byte, method or fill.
    """
    spec = recording.header.agent
    arms = [Arm(name=UNTOUCHED)]
    if intervention.ram:
        edits = ram_edits(intervention.ram, spec.environment.game)
        return [*arms, Arm(name=intervention.changes[0], ram=edits)]
    fill = _fill(intervention.fill, recording)
    if intervention.hide_map:
        masks: list[Mask] = [_map_top(recording, agent, intervention)]
    else:
        shape = recording.header.screen_shape[:2]
        regions = [region_mask(region, spec, shape) for region in intervention.hide]
        masks = [functools.partial(_constant, region) for region in regions]
    for change, mask in zip(intervention.changes, masks, strict=True):
        hidden = {branch.number: hide(mask, fill) for branch in branches}
        arms.append(Arm(name=change, hide=hidden))
        if intervention.random:
            elsewhere: Mapping[int, Hide] = {
                branch.number: hide(_Rolled(mask, branch.number), fill) for branch in branches
            }
            arms.append(Arm(name=random_twin(change), hide=elsewhere))
    return arms


def _constant(mask: np.ndarray, sight: Sight) -> np.ndarray:
    return mask


class _Rolled:
    """A region's shape at its first sight, moved to a place that is drawn once for a branch."""

    def __init__(self, mask: Mask, number: int) -> None:
        self._mask, self._generator = mask, np.random.default_rng((_RANDOM_SEED, number))
        self._moved: np.ndarray | None = None

    def __call__(self, sight: Sight) -> np.ndarray:
        if self._moved is None:
            self._moved = rolled(self._mask(sight), self._generator)
        return self._moved


def _map_top(recording: Recording, agent: Agent, intervention: Intervention) -> Mask:
    """The top of a method's first target at every step, of the state with nothing hidden."""
    method = configure(str(intervention.hide_map))
    explainer = bind(method, agent.policy, median_picture(recording), Compute(threads=1))
    device = next(agent.policy.parameters()).device

    def mask(sight: Sight) -> np.ndarray:
        state = None if sight.state is None else torch.from_numpy(sight.state[None]).to(device)
        observation = torch.from_numpy(sight.observation[None]).to(device)
        frames = FrameBatch(
            observations=observation,
            actions=_preferred(agent, observation, state),
            states=state,
            episodes=np.array([sight.episode]),
            steps=np.array([sight.step]),
        )
        maps = explainer(frames).values[:, 0].abs().sum(1).double().cpu().numpy()
        top: np.ndarray = top_pixels(to_pixels(maps, explainer.grid), intervention.top)[0]
        return top

    return mask


def _preferred(agent: Agent, observation: torch.Tensor, state: torch.Tensor | None) -> torch.Tensor:
    """The action that a map made in play explains: the preferred one, as none is taken yet."""
    with torch.inference_mode():
        preferred: torch.Tensor = agent.policy(observation, state).preferences.argmax(-1)
    return preferred


def _fill(text: str, recording: Recording) -> Fill:
    """What fills the newest frame of a sight."""
    reference = parse_reference(text)
    if reference.kind == "median":
        picture = median_picture(recording)
        return lambda sight: picture
    if reference.kind not in ("blur", "noise", "constant"):
        raise InvalidArgument(
            f"fill {text!r}: expected median, blur, noise or constant:VALUE, which need one frame "
            "alone."
        )

    def fill(sight: Sight) -> np.ndarray:
        frames = FrameBatch(
            observations=torch.from_numpy(sight.frame[None].copy()),
            actions=torch.zeros(1, dtype=torch.int64),
            states=None,
            episodes=np.array([sight.episode]),
            steps=np.array([sight.step]),
        )
        filled: np.ndarray = reference.fill(frames, {})[0].numpy()
        return filled

    return fill
