"""The words in the header and on the bars."""

from __future__ import annotations

from collections.abc import Sequence

from agentlens.drawing.text import DOT
from agentlens.spec import AgentSpec, EnvironmentSpec, TargetInfo
from agentlens.store.maps import MapHeader
from agentlens.store.recording import RecordingHeader

_GATE = "fidelity gate "
"""What stands before the verdict in the meaning of a mask network's targets."""


def title(header: RecordingHeader) -> str:
    """Agent, game and algorithm."""
    agent = header.agent
    parts = [agent.name, _game(agent.environment), agent.algorithm]
    if header.player:
        parts.append(f"asked about {header.player}'s game")
    return DOT.join(part for part in parts if part)


def _game(environment: EnvironmentSpec) -> str:
    """A cartridge's name in words; the id of any other world as it is, without its module."""
    if environment.kind == "atari":
        return environment.game.replace("_", " ").title()
    return environment.id.rpartition(":")[2]


def facts(header: RecordingHeader) -> str:
    """The protocol, as played, and the score that the agent is known for."""
    environment, action = header.agent.environment, header.agent.action
    chosen = {"sample": "sampled actions", "greedy": "greedy actions"}.get(
        action.selection, f"greedy but for {action.epsilon:g}"
    )
    parts = [
        environment.id,
        f"frame skip {environment.frame_skip_text}",
        f"sticky {environment.repeat_action_probability:g}",
        chosen,
    ]
    score = header.agent.score
    if score is not None:
        spread = f" ± {score.sd:.1f}" if score.sd is not None else ""
        parts.append(f"known score {score.mean:.1f}{spread}")
    return DOT.join(parts)


def method(header: RecordingHeader, maps: MapHeader | None) -> str:
    """How the maps were made and what they explain."""
    if maps is None:
        return "no maps"
    options = [
        f"{name.replace('_', ' ')} {f'{value:g}' if isinstance(value, float) else value}"
        for name, value in maps.options.items()
        if name in ("radius", "stride", "reference", "temperature") and value is not None
    ]
    options += [
        word
        for name, word in (("preview", "preview"), ("as_published", "drawn as published"))
        if maps.options.get(name)
    ]
    about = explained(maps)
    memory = ["memory held fixed"] if _is_recurrent(header.agent) else []
    return DOT.join([maps.method, *_gate(maps), *options, *about, *memory])


def _gate(maps: MapHeader) -> list[str]:
    """How a mask network did on its fidelity gate; nothing where no network made the maps."""
    if not maps.options.get("network"):
        return []
    verdict = maps.targets[0].meaning.rpartition(_GATE)[2]
    return [f"mask network, {_GATE}{verdict}"]


def explained(maps: MapHeader) -> list[str]:
    """Which action the maps explain, and against which; nothing where no target asks."""
    asking = [info for info in maps.targets if explains_action(info)]
    if not asking:
        return []
    known = maps.action not in ("taken", "greedy")
    action = maps.action if known else f"the {maps.action} action"
    if not any(info.name.startswith("contrast") for info in asking):
        return [f"explains {action}"]
    return [f"explains {action} against {maps.contrast or 'the best other'}"]


def explains_action(target: TargetInfo) -> bool:
    """Whether a target's values depend on which action is explained."""
    return target.of_action


def joined(*parts: str) -> str:
    """Parts of one line."""
    return DOT.join(parts)


def clock(seconds: float) -> str:
    """Time as it is shown, to tenths: 119.96 seconds are "2:00.0"."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def action_name(meanings: Sequence[str]) -> str:
    """One name for actions that do the same."""
    return " / ".join(meanings)


def _is_recurrent(agent: AgentSpec) -> bool:
    chains = agent.network.chains if agent.network is not None else ()
    return any(layer.kind in ("gru", "lstm") for chain in chains for layer in chain.layers)
