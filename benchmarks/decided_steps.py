"""Where it matters what an agent sees: blind it at the steps where it is decided, or at the others.

At every step the policy is asked twice, with everything in sight and with a region of the screen
behind the recording's background in every plane. Each arm says at which steps the agent plays what
it wants when blind: always, where the merged action that it prefers has a probability of
``--decided`` or more, at as many of the other steps, at all others.

Run: python -m benchmarks.decided_steps RECORDING [--games 4] [--regions court opponent]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from agentlens.envs.alike import merge_groups
from agentlens.metrics._recorded import median_picture
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.rollout.places import region_mask
from agentlens.rollout.play import Play
from agentlens.saliency.scores import merge
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.score import score

ARMS = ("decided", "as many others", "others", "always")


class BlindPolicy(Policy):
    """A policy that at some steps says what it would without a region.

    Attributes:
        asked: steps so far. decided: those where it prefers an action enough. blind: those at
            which the region is hidden.
    """

    def __init__(
        self,
        agent: Agent,
        hidden: Tensor,
        background: Tensor,
        *,
        arm: str,
        decided: float,
        share: float,
    ) -> None:
        """Prepare.

        Args:
            agent: without memory, with logits.
            hidden: float32 [H, W], 1 = hidden.
            background: float32 [K, H, W] or what fits it.
            arm: one of ``ARMS``, or "never".
            decided: the least probability of a decided step.
            share: of the others that "as many others" hides at.
        """
        super().__init__()
        policy = agent.policy
        self.observation_shape, self.channels = policy.observation_shape, policy.channels
        self.action_meanings, self.state_size = policy.action_meanings, policy.state_size
        self.kind, self.has_value = policy.kind, policy.has_value
        self.policy, self._arm, self._least, self._share = policy, arm, decided, share
        self._groups = merge_groups(agent.spec.environment.game, policy.action_meanings)
        self.register_buffer("hidden", hidden)
        self.register_buffer("background", background)
        self.asked = self.decided = self.blind = 0
        self.eval()

    def __deepcopy__(self, memo: dict[int, object]) -> BlindPolicy:
        """Itself: what plays is the one that counts."""
        return self

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """See ``Policy.forward``."""
        seeing = self.policy(observation, state)
        region, background = self.get_buffer("hidden"), self.get_buffer("background")
        blind = self.policy(observation + region * (background - observation), state)
        merged = merge(seeing.preferences.double(), self._groups, "logits")
        sure = merged.softmax(-1).amax(-1) >= self._least
        drawn = observation.double().sum((1, 2, 3)) * 997.0 % 1.0 < self._share
        at = {
            "never": torch.zeros_like(sure),
            "always": torch.ones_like(sure),
            "decided": sure,
            "others": ~sure,
            "as many others": ~sure & drawn,
        }[self._arm]
        self.asked += len(at)
        self.decided += int(sure.sum())
        self.blind += int(at.sum())
        preferences = torch.where(at[:, None], blind.preferences, seeing.preferences)
        return PolicyOutput(preferences, seeing.kind, seeing.value)


def played(
    recording: Recording,
    agent: Agent,
    region: str,
    options: argparse.Namespace,
    share: float,
    *,
    arm: str,
) -> BlindPolicy:
    """Play some games, print their mean return, and give the policy that counted its steps."""
    shape = recording.header.screen_shape
    mask = torch.from_numpy(region_mask(region, agent.spec, (shape[0], shape[1])))
    background = torch.from_numpy(median_picture(recording))
    policy = BlindPolicy(agent, mask, background, arm=arm, decided=options.decided, share=share)
    games = score(
        Agent(spec=agent.spec, policy=policy, folder=agent.folder),
        play=Play(episodes=options.games, seed=options.seed),
    )
    returns = ", ".join(f"{game.raw_return:+.0f}" for game in games.games)
    print(
        f"{region:12} {arm:16} blind at {policy.blind / policy.asked:4.0%} of "
        f"{policy.asked} steps   return {games.interval.estimate:+6.1f}   ({returns})",
        flush=True,
    )
    return policy


def main() -> None:
    """Print a line an arm and region."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--games", type=int, default=4)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--decided", type=float, default=0.9)
    parser.add_argument("--regions", nargs="+", default=["court", "own-paddle", "opponent"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    recording = open_recording(options.recording)
    agent = load_agent(recording.agent_folder)
    base = played(recording, agent, options.regions[0], options, 0.0, arm="never")
    share = base.decided / max(1, base.asked - base.decided)
    print(f"decided at {base.decided / base.asked:.0%} of steps")
    for region in options.regions:
        for arm in ARMS:
            played(recording, agent, region, options, share, arm=arm)


if __name__ == "__main__":
    main()
