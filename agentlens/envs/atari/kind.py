"""Atari games as a kind of environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from agentlens.envs.atari import ids
from agentlens.envs.atari.cartridges import cartridge
from agentlens.envs.atari.emulator import Emulator
from agentlens.envs.atari.options import AtariOptions, atari_options
from agentlens.envs.atari.presets import ENVIRONMENT_DEFAULTS, OBSERVATION_DEFAULTS, PRESETS
from agentlens.envs.base import Described, Environment, EnvironmentKind
from agentlens.spec import EnvironmentSpec


class Atari(EnvironmentKind):
    """Every game that ale-py ships a cartridge of."""

    presets = PRESETS
    usual_preset = "ale-v5"
    options = AtariOptions
    environment_defaults = ENVIRONMENT_DEFAULTS
    observation_defaults = OBSERVATION_DEFAULTS

    def knows(self, env_id: str) -> bool:
        """Whether ale-py registers the id."""
        return env_id in ids.environment_ids()

    def describe(self, env_id: str, options: Any = None, *, trust_code: bool = False) -> Described:
        """What the id says of the emulator."""
        return Described(environment=ids.describe_id(env_id))

    def action_meanings(
        self, spec: EnvironmentSpec, *, trust_code: bool = False
    ) -> tuple[str, ...]:
        """ALE's names: the minimal set, or all 18."""
        game = cartridge(spec.game)
        return game.legal if atari_options(spec).full_action_space else game.minimal

    def variants(self, spec: EnvironmentSpec) -> tuple[EnvironmentSpec, ...]:
        """The same game with all 18 actions."""
        return (dataclasses.replace(spec, options={**spec.options, "full_action_space": True}),)

    def make(
        self,
        spec: EnvironmentSpec,
        meanings: Sequence[str],
        *,
        like: Environment | None = None,
        trust_code: bool = False,
    ) -> Emulator:
        """Load the cartridge; see ``Emulator``."""
        return Emulator(spec, meanings, palette=like.palette if like is not None else None)


ENVIRONMENT = Atari()
