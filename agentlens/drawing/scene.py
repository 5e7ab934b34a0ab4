"""What a film of a recording and a film of a game in play share: targets, action bars, curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agentlens.drawing import caption
from agentlens.drawing.context import Choices, Curve, Layer, Scene
from agentlens.drawing.theme import Theme
from agentlens.drawing.upsample import plane_upsampler, upsampler
from agentlens.envs.alike import merge_groups
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.spec import AgentSpec, TargetInfo
from agentlens.store.maps import MapHeader
from agentlens.store.recording import RecordingHeader


def make_scene(
    recording: RecordingHeader,
    maps: MapHeader | None,
    *,
    theme: Theme,
    layers: tuple[Layer, ...],
    control: Layer | None,
    choices: Choices,
    curves: tuple[Curve, ...],
    frames: int,
) -> Scene:
    """The scene of a film; the arguments are what the two kinds of films find out differently."""
    observation = recording.agent.observation
    spread = None if maps is None else upsampler(maps.grid, observation, recording.screen_shape)
    return Scene(
        theme=theme,
        title=caption.title(recording),
        facts=caption.facts(recording),
        method=caption.method(recording, maps),
        screen_shape=recording.screen_shape,
        depth=observation.stack,
        plane_shape=observation.resize,
        layers=layers,
        control=control,
        plane_names=() if maps is None else maps.planes,
        spread=spread,
        plane_spread=None if maps is None else plane_upsampler(maps.grid),
        pooled=observation.pool != "none",
        choices=choices,
        curves=curves,
        frames=frames,
    )


def own_curves(worth_name: str, worth: np.ndarray | None, totals: np.ndarray) -> tuple[Curve, ...]:
    """The curves that need no maps: what the agent expects, where it says so, and the score."""
    score = Curve(name="score", unit="", role="score", values=totals.astype(np.float32))
    if worth is None:
        return (score,)
    return Curve(name=worth_name, unit="", role="critic", values=worth), score


def magnitude_curve(target: TargetInfo, maxima: np.ndarray) -> Curve:
    """The largest magnitude of each step's map, NaN where there is none."""
    return Curve(
        name=f"max {target.name}",
        unit=target.unit,
        role=target.role,
        values=maxima,
        display=target.display,
    )


def drawn_targets(
    maps: MapHeader | None, names: Sequence[str] | None = None
) -> tuple[TargetInfo, ...]:
    """The named targets; else one for the choice of action and one for the critic, or the first.

    Raises:
        UnknownName: the maps have no such target.
        InvalidArgument: targets are named where there are no maps, none, or one twice.
    """
    if isinstance(names, str):
        raise InvalidArgument(f"targets {names!r}: expected a list of names, such as [{names!r}].")
    if names is not None:
        by_name = {} if maps is None else {info.name: info for info in maps.targets}
        if not by_name:
            raise InvalidArgument(f"targets {', '.join(names)}: there are no maps to draw.")
        for name in names:
            if name not in by_name:
                raise UnknownName("target", name, by_name)
        if not names or len(set(names)) < len(names):
            raise InvalidArgument(
                f"targets {', '.join(names) or 'none'}: expected one or more, each once."
            )
        return tuple(by_name[name] for name in names)
    if maps is None:
        return ()
    actor = [t for t in maps.targets if t.role in ("actor", "q")][:1]
    critic = [t for t in maps.targets if t.role == "critic"][:1]
    return tuple(actor + critic) or maps.targets[:1]


def control_of(maps: MapHeader | None, drawn: Sequence[TargetInfo]) -> TargetInfo | None:
    """The maps' first control that is not drawn as a target of its own."""
    targets = () if maps is None else maps.targets
    return next((t for t in targets if t.role == "control" and t not in drawn), None)


def choices_of(agent: AgentSpec, q_values: np.ndarray | None) -> Choices:
    """The rows of the action bars: of probabilities, or of Q-values that reach over
    ``q_values``."""
    groups = merge_groups(agent.environment.game, agent.action.meanings)
    names = tuple(caption.action_name([agent.action.meanings[i] for i in g]) for g in groups)
    if q_values is None:
        return Choices(names=names, groups=groups, kind="probability", low=0.0, high=1.0)
    low, high = float(q_values.min()), float(q_values.max())
    edge = 0.1 * (high - low)
    return Choices(names=names, groups=groups, kind="q_value", low=low - edge, high=high)
