"""agentlens import: turn a checkpoint into an agent folder, running nothing that is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agentlens.cli._console import note
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Name


@dataclass(frozen=True, kw_only=True)
class Options:
    """Convert a checkpoint to agents/NAME/ (agent.toml and policy.safetensors).

    Nothing in the checkpoint is executed. Whatever it does not say and no flag gives is printed
    as assumed and written down.

    Examples:
      agentlens import ppo.zip --name my-ppo --env PongNoFrameskip-v4
      agentlens import logs/ppo/PongNoFrameskip-v4_1 --name from-the-zoo
    """

    checkpoint: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CHECKPOINT")]
    """An SB3 zip, a CleanRL model, a torch state dict, a safetensors file, or a run's folder of
    rl-zoo or CleanRL."""
    name: str
    """Name of the new agent."""
    env: Name = None
    """Environment id such as ALE/Pong-v5."""
    format: Name = None
    """Format of the checkpoint (sb3, cleanrl, cleanrl-c51, torch-state-dict, baby-a3c,
    safetensors); found out if not given."""
    preset: Name = None
    """Preprocessing and protocol: sb3-atari, ale-vector, cleanrl-atari, envpool, baby-a3c,
    ale-v5."""
    manifest: Annotated[Path | None, tyro.conf.arg(metavar="FILE.toml", help_behavior_hint="")] = (
        None
    )
    """A partial agent.toml: network and sources of a bare state dict, meanings of its outputs."""
    output: Path = Path("agents")
    """Folder in which the agent's folder is made."""
    trust_code: bool = False
    """Allow the package that an id of the form module:Id names to run."""
    force: bool = False
    """Replace an agent of that name."""


def run(options: Options) -> int:
    """Import, then print what was resolved and what had to be assumed."""
    from agentlens.policies.agent import load_agent
    from agentlens.policies.importing import checked_name, import_agent
    from agentlens.workflows.summary import protocol_text

    folder = import_agent(
        options.checkpoint,
        options.output / checked_name(options.name),
        format=options.format,
        env=options.env,
        preset=options.preset,
        manifest=options.manifest,
        trust_code=options.trust_code,
        force=options.force,
    )
    spec = load_agent(str(folder), trust_code=options.trust_code).spec
    planes, rows, columns = spec.observation.shape
    print(f"from: {spec.source}")
    print(f"algorithm: {spec.algorithm or 'not known'}")
    print(f"protocol: {protocol_text(spec)}")
    print(f"observation: {planes} planes of {rows} x {columns}, preset {spec.preset or 'none'}")
    print(f"actions: {', '.join(spec.action.meanings)}")
    for line in spec.assumed:
        note(f"assumed: {line}")
    print(f"agent: {folder}")
    return 0


VERB = Verb(summary="turn a checkpoint into an agent", options=Options, run=run, order=20)
