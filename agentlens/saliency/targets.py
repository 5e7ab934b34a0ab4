"""What each score means: the descriptions that travel with every map. No torch here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.spec import TargetInfo

if TYPE_CHECKING:
    from agentlens.saliency.options import AskedOptions

SOFTMAX_TARGETS = frozenset({"kl", "log_probability", "sarfa"})
"""Scores of a distribution over actions: on Q-values they need a temperature."""

Q_TARGETS = frozenset({"gap", "q_value", "advantage", "flip"})
"""Scores of Q-values."""

VALUE_TARGETS = frozenset({"value", "value_l2"})
"""Scores of the critic, or of max Q where there are Q-values."""

LINEAR_TARGETS = frozenset({"contrast", "value", "q_value", "advantage"})
"""Scores linear in the outputs: only for these is joint minus single effects meaningful."""

_INTERACTION = " interaction"
"""What follows a score's name where its joint effect less its single effects is meant."""

DIFFERENTIABLE_TARGETS = frozenset(
    {"log_probability", "contrast", "value", "gap", "q_value", "advantage"}
)
"""What gradient methods can differentiate."""

_ALL = (
    TargetInfo(
        name="kl",
        signed=False,
        unit="nats",
        role="actor",
        display="sqrt",
        noise_floor=0.0,
        meaning="hiding this place changes the action probabilities much",
        of_action=False,
    ),
    TargetInfo(
        name="log_probability",
        signed=True,
        unit="nats",
        role="actor",
        noise_floor=0.0,
        meaning="positive: hiding this place makes the explained action less likely",
    ),
    TargetInfo(
        name="contrast",
        signed=True,
        unit="logits",
        role="actor",
        noise_floor=0.0,
        meaning="positive: this place speaks for the explained action against the other one",
    ),
    TargetInfo(
        name="sarfa",
        signed=False,
        unit="score 0 to 1",
        role="actor",
        noise_floor=0.0,
        meaning="hiding this place lowers the explained action and leaves the others in proportion",
    ),
    TargetInfo(
        name="logit_l2",
        signed=False,
        unit="logits^2",
        role="actor",
        display="sqrt",
        noise_floor=0.0,
        meaning="hiding this place changes the logits, shifts that the policy cannot see included",
        of_action=False,
    ),
    TargetInfo(
        name="value_l2",
        signed=False,
        unit="value^2",
        role="critic",
        display="sqrt",
        noise_floor=0.0,
        meaning="hiding this place changes the value estimate much",
        of_action=False,
    ),
    TargetInfo(
        name="value",
        signed=True,
        unit="value",
        role="critic",
        noise_floor=0.0,
        meaning="positive: hiding this place lowers the value estimate",
        of_action=False,
    ),
    TargetInfo(
        name="gap",
        signed=True,
        unit="Q",
        role="q",
        noise_floor=0.0,
        meaning="positive: hiding this place narrows the explained action's lead over the rest",
    ),
    TargetInfo(
        name="q_value",
        signed=True,
        unit="Q",
        role="q",
        noise_floor=0.0,
        meaning="positive: hiding this place lowers the explained action's Q-value",
    ),
    TargetInfo(
        name="advantage",
        signed=True,
        unit="Q",
        role="q",
        noise_floor=0.0,
        meaning="positive: hiding this place lowers the explained action's lead over the mean",
    ),
    TargetInfo(
        name="flip",
        signed=False,
        unit="0 or 1",
        role="q",
        noise_floor=0.0,
        meaning="hiding this place changes the greedy action",
        of_action=False,
    ),
    TargetInfo(
        name="energy",
        signed=False,
        unit="observation^2",
        role="control",
        display="sqrt",
        noise_floor=0.0,
        meaning="the perturbation itself is strong here, whatever the agent",
        of_action=False,
    ),
    TargetInfo(
        name="random",
        signed=False,
        unit="none",
        role="control",
        noise_floor=0.0,
        meaning="nothing: the values are drawn at random",
        of_action=False,
    ),
)

TARGETS = {info.name: info for info in _ALL}
"""Every score by name."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A score by name; with ``interaction`` its joint effect over all frames of the stack less the
    sum of its single ones."""

    score: str
    interaction: bool = False

    def __str__(self) -> str:
        """As it is written: "value", "value interaction"."""
        return self.score + (_INTERACTION if self.interaction else "")


def parse_target(text: str) -> Target:
    """Read "value" or "value interaction"; whether there is such a score is checked later."""
    return Target(score=text.removesuffix(_INTERACTION), interaction=text.endswith(_INTERACTION))


def default_targets(kind: str, has_value: bool) -> tuple[str, ...]:
    """Actor, critic and control: kl + value_l2 + energy, or gap + value + energy for Q-values."""
    if kind == "q_values":
        return ("gap", "value", "energy")
    return ("kl", "value_l2", "energy") if has_value else ("kl", "energy")


def default_differentiable(kind: str, has_value: bool) -> tuple[str, ...]:
    """Actor and critic: log_probability + value, or gap + value for Q-values."""
    if kind == "q_values":
        return ("gap", "value")
    return ("log_probability", "value") if has_value else ("log_probability",)


def wanted_targets(asked: AskedOptions, defaults: Sequence[str]) -> tuple[Target, ...]:
    """The targets that are asked for by name, or the defaults, whose first is the actor's.

    Where an action is asked for, an actor's default that ignores it gives way to
    ``log_probability``; where one to compare it with, to ``contrast``.

    Raises:
        InvalidArgument: an action is named, or one to compare it with, and nothing that is asked
            for depends on it.
    """
    if asked.targets is None:
        first, *rest = defaults
        if asked.contrast is not None:
            first = "contrast"
        elif asked.action != "taken" and not TARGETS[first].of_action:
            first = "log_probability"
        return tuple(map(parse_target, (first, *rest)))
    targets = tuple(map(parse_target, asked.targets))
    scores = [target.score for target in targets]
    if asked.contrast is not None and "contrast" not in scores:
        raise InvalidArgument(
            f"contrast {asked.contrast} plays no part in {', '.join(scores)}: the target contrast "
            "alone compares with it."
        )
    known = [TARGETS[score] for score in scores if score in TARGETS]
    named = asked.action not in ("taken", "greedy")
    if named and len(known) == len(scores) and not any(info.of_action for info in known):
        raise InvalidArgument(
            f"action {asked.action} plays no part in {', '.join(scores)}: ask for "
            f"{_ACTOR_ADVICE}, or leave it out."
        )
    return targets


_ACTOR_ADVICE = "log_probability or contrast (gap, q_value or advantage for Q-values)"


def interaction_info(info: TargetInfo) -> TargetInfo:
    """The description of a linear score's interaction between the frames of the stack."""
    return dataclasses.replace(
        info,
        name=str(Target(score=info.name, interaction=True)),
        signed=True,
        display="identity",
        meaning=(
            "what hiding this place in all frames of the stack at once does beyond the sum of "
            "hiding it in each; one map, the same on every plane"
        ),
    )


def check_interactions(
    names: Sequence[str], kind: str, stack: int, planes: str, merged: bool
) -> None:
    """Refuse interactions that would mix up the score's own curvature with the policy's.

    Args:
        names: scores by name, without the word "interaction".
        kind: "logits" or "q_values".
        stack: frames that the policy sees.
        planes: "all", "newest" or "each".
        merged: whether actions that do the same are merged.

    Raises:
        InvalidArgument: the score is not linear in the outputs, or single effects are missing.
    """
    if len(set(names)) != len(names):
        raise InvalidArgument(f"interactions named twice: {', '.join(names)}.")
    for name in names:
        target = str(Target(score=name, interaction=True))
        if name not in LINEAR_TARGETS or (name == "value" and kind == "q_values"):
            raise InvalidArgument(
                f"target {target!r}: {name} is not linear in the policy's outputs, so joint less "
                f"single effects would say nothing; use {', '.join(sorted(LINEAR_TARGETS))}."
            )
        if merged and name != "value":
            raise InvalidArgument(
                f"target {target!r}: merging actions is not linear; leave merge_actions off."
            )
        if planes != "each" or stack == 1:
            raise InvalidArgument(
                f"target {target!r} compares the frames of a stack: it needs planes 'each' and an "
                f"agent that sees several frames (planes {planes!r}, {stack} frames)."
            )


def check_targets(
    names: Sequence[str], kind: str, has_value: bool, temperature: float | None
) -> tuple[TargetInfo, ...]:
    """The descriptions of these scores, once it is clear that the policy can give them.

    Raises:
        UnknownName: no such score.
        InvalidArgument: none at all, one twice, or one that this policy's outputs do not allow.
    """
    if not names:
        raise InvalidArgument("targets are empty: name at least one score.")
    if len(set(names)) != len(names):
        raise InvalidArgument(f"targets name a score twice: {', '.join(names)}.")
    if temperature is not None and not temperature > 0:
        raise InvalidArgument(f"temperature {temperature}: expected a positive number.")
    for name in names:
        if name not in TARGETS:
            possible = ", ".join(_possible(kind, has_value))
            raise UnknownName("target", name, TARGETS, f"This agent has {possible}.")
        if name in SOFTMAX_TARGETS and kind == "q_values" and temperature is None:
            raise InvalidArgument(
                f"target {name!r} needs action probabilities and this agent has Q-values: "
                "give a temperature for their softmax, or use gap, q_value or advantage."
            )
        if name in Q_TARGETS and kind != "q_values":
            raise InvalidArgument(
                f"target {name!r} needs Q-values and this agent has logits: "
                "use kl, log_probability or contrast."
            )
        if name in VALUE_TARGETS and kind != "q_values" and not has_value:
            raise InvalidArgument(f"target {name!r} needs a critic and this agent has none.")
    return tuple(_of_this_policy(TARGETS[name], kind) for name in names)


def _possible(kind: str, has_value: bool) -> list[str]:
    """The scores that a policy can give without a temperature."""
    if kind == "q_values":
        return sorted(Q_TARGETS | VALUE_TARGETS | {"contrast", "logit_l2", "energy"})
    critic = VALUE_TARGETS if has_value else frozenset()
    return sorted(SOFTMAX_TARGETS | critic | {"contrast", "logit_l2", "energy"})


def _of_this_policy(info: TargetInfo, kind: str) -> TargetInfo:
    """A contrast of Q-values is in their unit."""
    if info.name == "contrast" and kind == "q_values":
        return dataclasses.replace(info, unit="Q", role="q")
    return info
