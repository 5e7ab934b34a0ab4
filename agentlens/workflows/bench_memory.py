"""A recurrent policy asked at one step for what it decides some steps later.

A map of one step tells what that step's screen adds to that step's decision. What an earlier screen
added through the memory is asked here: the screen where a cue was seen is what a method changes,
the memory runs along over the recorded screens that followed, and the decision at the end of them
is what is explained.

Shape letters: B rows, T screens that follow, C channels of a frame, H W observation, S recurrent
state, A actions.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from agentlens.errors import InvalidArgument, ShapeError
from agentlens.metrics._recorded import frames_of
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch
from agentlens.store.recording import Episode


class LaterPolicy(Policy):
    """A recurrent policy as a policy of an earlier screen.

    Its observation is the screen of T decisions ago; its state is the memory before that screen
    with the T screens that followed behind it, [B, S + T * C * H * W]; its output is what the
    policy says at the last of these.

    Args:
        policy: recurrent, one frame in its observation: an older frame of a stack would show the
            earlier screen once more.
        later: T, decisions between the screen and the decision that is explained.

    Raises:
        InvalidArgument: no memory, several frames in the observation, or T below 1.
    """

    def __init__(self, policy: Policy, later: int) -> None:
        super().__init__()
        if policy.state_size == 0 or policy.observation_shape[0] != policy.channels or later < 1:
            raise InvalidArgument(
                f"a decision {later} steps later of a policy with {policy.state_size} numbers of "
                f"memory and {policy.observation_shape[0]} planes: expected 1 step or more, a "
                "memory, and one frame."
            )
        self.remembering, self.later = policy, later
        self.observation_shape, self.channels = policy.observation_shape, policy.channels
        self.action_meanings, self.kind = policy.action_meanings, policy.kind
        self.has_value = policy.has_value
        self.state_size = policy.state_size + later * int(np.prod(policy.observation_shape))

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch; see ``Policy``. ``state`` of the output is ``None``: nothing follows.

        Raises:
            ShapeError: the state has another shape.

        Notes:
            1 + T passes of the policy.
        """
        if state is None or state.shape[1:] != (self.state_size,):
            got = "none" if state is None else str(list(state.shape))
            raise ShapeError(f"a state of shape {got}: expected [B, {self.state_size}].")
        remembered = self.remembering.state_size
        output: PolicyOutput = self.remembering(observation, state[:, :remembered])
        shape = (len(state), self.later, *self.observation_shape)
        for screen in state[:, remembered:].reshape(shape).unbind(1):
            output = self.remembering(screen, output.state)
        return output._replace(state=None)


def cue_frames(episode: Episode, steps: np.ndarray, later: int) -> FrameBatch:
    """The screens ``later`` steps before the decisions, as a ``LaterPolicy`` takes them.

    Args:
        episode: of a recurrent agent.
        steps: int64 [F], the decisions, none before ``later``.
        later: steps between screen and decision.

    Returns:
        Observations and memory of the earlier steps with the screens that followed behind the
        memory; the actions are those of the decisions.
    """
    frames = frames_of(episode, steps - later)
    assert frames.states is not None  # the agent is recurrent
    following = [frames_of(episode, steps - later + t).observations for t in range(1, later + 1)]
    behind = torch.stack(following, 1).flatten(1)
    return dataclasses.replace(
        frames,
        actions=torch.from_numpy(episode.actions[steps]),
        states=torch.cat([frames.states, behind], 1),
        past=None,
        past_counts=None,
    )
