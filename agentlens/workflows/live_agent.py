"""An agent that plays one game and explains each decision as it makes it."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.drawing.live import Decision
from agentlens.drawing.screens import pooled
from agentlens.envs.alike import merge_groups
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.policies.device import choose_device
from agentlens.rollout.outputs import Outputs, evaluate, one_thread
from agentlens.rollout.play import Play
from agentlens.rollout.player import Player, recording_header
from agentlens.rollout.recorder import as_played
from agentlens.rollout.seeds import episode_seed
from agentlens.rollout.selection import choose_action
from agentlens.saliency.base import FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.checks import check_maps as check_finite_maps
from agentlens.saliency.checks import measure_noise
from agentlens.saliency.configure import configure, method_name, options_of
from agentlens.saliency.engine.settings import exact_float32, torch_threads
from agentlens.saliency.map_run import learned_artefact
from agentlens.spec import TargetInfo
from agentlens.store.maps import MapHeader
from agentlens.store.recording import StepRow

_log = logging.getLogger(__name__)

_PROBED = 30
"""The step on which noise floors are measured: played up to once before the game begins anew."""


class LiveAgent:
    """Plays the game of ``record`` with the same seed, with a map for every decision.

    Attributes:
        recording, maps: the headers that a recording and a map set of this game would have.
        steps, frames, raw_return, end: of the game so far, ``end`` as in ``Player``.
        spent: seconds of "play" and "explain".
    """

    def __init__(
        self,
        agent: Agent,
        play: Play,
        method: str | SaliencyMethod,
        compute: Compute = Compute(),
    ) -> None:
        """Load the game and bind the method; see ``watch`` for arguments and errors."""
        threads = compute.threads
        self._device = choose_device(compute.device)
        self._agent = as_played(agent, play).to(self._device)
        self._seed = episode_seed(play.seed, 0)
        self._method = _for_a_game_in_play(method)
        spec, policy = self._agent.spec, self._agent.policy
        self._player = Player(spec, policy.state_size, play=play, trust_code=agent.trust_code)
        groups = merge_groups(spec.environment.game, spec.action.meanings)
        threads = threads or max(1, (os.cpu_count() or 1) - 1)
        self._compute = dataclasses.replace(compute, threads=threads)
        named = self._method.artefact
        learned = None if named is None else learned_artefact(named, self._agent)
        self._facts = RecordingFacts(action_groups=groups, artefact=learned)
        self._explainer = self._method.bind(policy, self._compute, self._facts)
        self._before: torch.Tensor | None = None
        self.steps, self.frames, self.raw_return, self.end = 0, 0, 0.0, ""
        self.spent = {"play": 0.0, "explain": 0.0}
        self.recording = recording_header(self._player, play, {})
        self.maps = MapHeader(
            method=method_name(self._method),
            options=options_of(self._method),
            targets=self._measured_targets(),
            planes=self._explainer.planes,
            grid=self._explainer.grid,
            action=str(getattr(self._method, "action", "taken")),
            forward_passes=self._explainer.forward_passes,
            recording_digests={},
            provenance={},
        )

    def decisions(self) -> Iterator[Decision]:
        """Play the game; each decision is explained before its action is carried out."""
        self._begin()
        player = self._player
        while not self.end:
            began = time.perf_counter()
            output, action = self._decide()
            frames = self._frames(action)
            decided = time.perf_counter()
            with exact_float32(), torch_threads(self._compute.threads):
                maps = self._explainer(frames)
            check_finite_maps(0, frames.steps, maps, self._explainer.targets)
            values = maps.values[0].cpu().numpy()
            explained = time.perf_counter()
            row = player.play(action, output)
            decision = Decision(
                row=row,
                screen=self._seen(row),
                maps=values,
                explained=int(maps.explained_actions[0]),
            )
            self.steps, self.end = player.steps, player.end
            self.frames += row.frames_advanced
            self.raw_return += row.reward
            self.spent["explain"] += explained - decided
            self.spent["play"] += time.perf_counter() - began - (explained - decided)
            yield decision

    def _seen(self, row: StepRow) -> np.ndarray:
        """The screen as the agent sees it: uint8 [Y, X, 3]."""
        player, pool = self._player, self._agent.spec.observation.pool
        return pooled(
            player.rgb(row.screen),
            player.rgb(row.screen if row.screen_before is None else row.screen_before),
            pool,
        )

    def _begin(self) -> None:
        self._player.begin(self._seed)
        self._before = None

    def _decide(self) -> tuple[Outputs, int]:
        """What the policy says now, and the action chosen from it."""
        player = self._player
        with one_thread():
            output = evaluate(
                self._agent.policy, self._device, [player.observation], [player.state]
            )[0]
        return output, choose_action(self._agent.spec.action, output, player.generator)

    def _frames(self, action: int) -> FrameBatch:
        """The present step as explainers want it."""
        player, previous = self._player, None
        observation = torch.from_numpy(player.observation[None].copy()).to(self._device)
        if "previous" in self._method.pictures:
            previous = observation if self._before is None else self._before
            self._before = observation
        return FrameBatch(
            observations=observation,
            actions=torch.tensor([action], device=self._device),
            states=None
            if player.state is None
            else torch.from_numpy(player.state[None]).to(self._device),
            episodes=np.zeros(1, np.int64),
            steps=np.array([player.steps]),
            previous=previous,
        )

    def _measured_targets(self) -> tuple[TargetInfo, ...]:
        """The targets with noise floors, measured on a step a little into the game."""
        self._begin()
        player = self._player
        while True:
            output, action = self._decide()
            frames = self._frames(action)
            if player.steps == _PROBED:
                break
            player.play(action, output)
            if player.end:
                break
        with exact_float32(), torch_threads(self._compute.threads):
            return measure_noise(
                self._method,
                self._agent.policy,
                self._compute,
                self._facts,
                self._explainer,
                frames,
            )


def _for_a_game_in_play(method: str | SaliencyMethod) -> SaliencyMethod:
    """The configured method, if it can do without a whole recording.

    A reference, or a fill, that is the method's own default and a picture of a whole recording,
    gives way to a blur; the picture names it.
    """
    configured: Any = configure(method)
    needed = configured.pictures - {"previous"}
    name = "fill" if hasattr(configured, "fill") else "reference"
    if needed and getattr(configured, name) == getattr(type(configured)(), name):
        configured = dataclasses.replace(configured, **{name: "blur"})
        _log.warning("a game in play has no %s yet: blur fills", ", ".join(sorted(needed)))
    elif needed:
        raise InvalidArgument(
            f"{name} {', '.join(sorted(needed))} is a picture of a whole recording, which a game "
            "in play is not: choose blur, previous, noise or constant, or use agentlens video."
        )
    if configured.past_steps:
        raise InvalidArgument(
            f"method {method_name(configured)!r} goes back {configured.past_steps} steps, which a "
            "game in play does not keep: leave last at 1, or use agentlens video."
        )
    suited: SaliencyMethod = configured
    return suited
