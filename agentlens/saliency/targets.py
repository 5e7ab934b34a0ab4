"""What each score means: the descriptions that travel with every map. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentlens.spec import TargetInfo

Need = Literal["softmax", "logits", "q_values", "value", "outputs", "nothing"]
"""What a score is computed from: a distribution over actions (Q-values need a temperature for it),
logits alone, Q-values, the critic (max Q where there are Q-values), logits or Q-values alike, or no
policy."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What is known of a score without computing it; its formula is in ``scores.FORMULAS``.

    ``info``: name, unit and meaning, as they are stored with every map.
    ``needs``: what of the policy it is computed from.
    ``linear``: in the outputs, so that joint less single effects is meaningful.
    ``differentiable``: gradient methods have a quantity for it, ``scores.DIFFERENTIATED``.
    """

    info: TargetInfo
    needs: Need
    linear: bool = False
    differentiable: bool = False


_ALL = (
    Score(
        info=TargetInfo(
            name="kl",
            signed=False,
            unit="nats",
            role="actor",
            display="sqrt",
            noise_floor=0.0,
            meaning="hiding this place changes the action probabilities much",
            of_action=False,
        ),
        needs="softmax",
    ),
    Score(
        info=TargetInfo(
            name="log_probability",
            signed=True,
            unit="nats",
            role="actor",
            noise_floor=0.0,
            meaning="positive: hiding this place makes the explained action less likely",
        ),
        needs="softmax",
        differentiable=True,
    ),
    Score(
        info=TargetInfo(
            name="contrast",
            signed=True,
            unit="logits",
            role="actor",
            noise_floor=0.0,
            meaning="positive: this place speaks for the explained action against the other one",
        ),
        needs="outputs",
        linear=True,
        differentiable=True,
    ),
    Score(
        info=TargetInfo(
            name="sarfa",
            signed=False,
            unit="score 0 to 1",
            role="actor",
            noise_floor=0.0,
            meaning=(
                "hiding this place lowers the explained action and leaves the others in proportion"
            ),
        ),
        needs="softmax",
    ),
    Score(
        info=TargetInfo(
            name="logit",
            signed=True,
            unit="logits",
            role="actor",
            noise_floor=0.0,
            meaning="positive: hiding this place lowers the explained action's own logit",
        ),
        needs="logits",
        linear=True,
        differentiable=True,
    ),
    Score(
        info=TargetInfo(
            name="logit_l2",
            signed=False,
            unit="logits^2",
            role="actor",
            display="sqrt",
            noise_floor=0.0,
            meaning=(
                "hiding this place changes the logits, shifts that the policy cannot see included"
            ),
            of_action=False,
        ),
        needs="outputs",
    ),
    Score(
        info=TargetInfo(
            name="value_l2",
            signed=False,
            unit="value^2",
            role="critic",
            display="sqrt",
            noise_floor=0.0,
            meaning="hiding this place changes the value estimate much",
            of_action=False,
        ),
        needs="value",
    ),
    Score(
        info=TargetInfo(
            name="value",
            signed=True,
            unit="value",
            role="critic",
            noise_floor=0.0,
            meaning="positive: hiding this place lowers the value estimate",
            of_action=False,
        ),
        needs="value",
        linear=True,
        differentiable=True,
    ),
    Score(
        info=TargetInfo(
            name="gap",
            signed=True,
            unit="Q",
            role="q",
            noise_floor=0.0,
            meaning="positive: hiding this place narrows the explained action's lead over the rest",
        ),
        needs="q_values",
        differentiable=True,
    ),
    Score(
        info=TargetInfo(
            name="q_value",
            signed=True,
            unit="Q",
            role="q",
            noise_floor=0.0,
            meaning="positive: hiding this place lowers the explained action's Q-value",
        ),
        needs="q_values",
        linear=True,
        differentiable=True,
    ),
    Score(
        info=TargetInfo(
            name="advantage",
            signed=True,
            unit="Q",
            role="q",
            noise_floor=0.0,
            meaning="positive: hiding this place lowers the explained action's lead over the mean",
        ),
        needs="q_values",
        linear=True,
        differentiable=True,
    ),
    Score(
        info=TargetInfo(
            name="flip",
            signed=False,
            unit="0 or 1",
            role="q",
            noise_floor=0.0,
            meaning="hiding this place changes the greedy action",
            of_action=False,
        ),
        needs="q_values",
    ),
    Score(
        info=TargetInfo(
            name="energy",
            signed=False,
            unit="observation^2",
            role="control",
            display="sqrt",
            noise_floor=0.0,
            meaning="the perturbation itself is strong here, whatever the agent",
            of_action=False,
        ),
        needs="nothing",
    ),
    Score(
        info=TargetInfo(
            name="random",
            signed=False,
            unit="none",
            role="control",
            noise_floor=0.0,
            meaning="nothing: the values are drawn at random",
            of_action=False,
        ),
        needs="nothing",
    ),
    Score(
        info=TargetInfo(
            name="spectral",
            signed=False,
            unit="activation^2",
            role="control",
            noise_floor=0.0,
            meaning="features here are strong, coarsely and in detail, whatever the agent does",
            of_action=False,
        ),
        needs="nothing",
    ),
)

SCORES = {score.info.name: score for score in _ALL}
"""What is known of every score, by name."""

TARGETS = {name: score.info for name, score in SCORES.items()}
"""Only what is stored with a map, by name."""

LINEAR_TARGETS = frozenset(name for name, score in SCORES.items() if score.linear)
"""Scores linear in the outputs: only for these is joint minus single effects meaningful."""

DIFFERENTIABLE_TARGETS = frozenset(n for n, score in SCORES.items() if score.differentiable)
"""What gradient methods can differentiate."""


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
