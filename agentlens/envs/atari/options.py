"""What only Atari games have: ``[environment.atari]`` of agent.toml."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.mapping import decode
from agentlens.spec import EnvironmentSpec


@dataclass(frozen=True, kw_only=True)
class AtariOptions:
    """Settings of the emulator beside those that every world has."""

    full_action_space: bool = False
    """All 18 actions instead of the game's own."""
    step_frames: int = 1
    """Emulator frames of one step of the environment that the protocol's wrappers saw: forced
    "frames" take so many each, and pooled screens lie so far apart."""
    mode: int | None = None
    """The cartridge's game mode; its own default if not given."""
    difficulty: int | None = None
    """The cartridge's difficulty; its own default if not given."""


def atari_options(spec: EnvironmentSpec) -> AtariOptions:
    """The options of an environment.

    Raises:
        ManifestError: an unknown option, or a value of the wrong kind.
    """
    return decode(AtariOptions, spec.options, "environment.atari")
