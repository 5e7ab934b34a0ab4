"""What is asked of a policy: which action is explained, against which, and by which scores.

Shape letters: F frames, P plane selections, M masks, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency import scores
from agentlens.saliency.base import RecordingFacts
from agentlens.saliency.options import ActionOptions, AskedOptions


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which action is explained and how outputs are read.

    ``action``: "taken", "greedy" (the most probable), or a meaning such as "RIGHT".
    ``contrast``: the meaning of the action compared with, or None for the best other one.
    ``temperature``: of the softmax of Q-values; None keeps them Q-values.
    ``groups``: actions that do the same, merged first.
    """

    policy: Policy
    action: str = "taken"
    contrast: str | None = None
    temperature: float | None = None
    groups: tuple[tuple[int, ...], ...] | None = None

    def __post_init__(self) -> None:
        meanings = self.policy.action_meanings
        for name in (self.action, self.contrast):
            if name not in ("taken", "greedy", None) and name not in meanings:
                raise UnknownName("action", str(name), (*meanings, "taken", "greedy"))
        if self.contrast in ("taken", "greedy"):
            raise InvalidArgument(
                f"contrast {self.contrast!r}: expected the name of an action, such as "
                f"{meanings[0]}."
            )
        if self.groups is not None:
            members = sorted(a for group in self.groups for a in group)
            if members != list(range(len(meanings))):
                raise InvalidArgument(
                    f"merged actions {self.groups}: expected each of 0 to {len(meanings) - 1} once."
                )
        if self.contrast is not None and self._merged(self.contrast) == self._merged(self.action):
            raise InvalidArgument(
                f"contrast {self.contrast} does the same as the explained {self.action}."
            )

    def _merged(self, name: str) -> int:
        """The output that an action's name stands for after merging; -1 for a word."""
        if name not in self.policy.action_meanings:
            return -1
        index = self.policy.action_meanings.index(name)
        return index if self.groups is None else _group_of(self.groups)[index]

    def preferences(self, output: PolicyOutput) -> Tensor:
        """Logits or Q-values [..., A] in float64, merged where that is asked."""
        raw = output.preferences.double()
        return raw if self.groups is None else scores.merge(raw, self.groups, self.policy.kind)

    def explained(self, base: PolicyOutput, taken: Tensor) -> Tensor:
        """The explained action of F base outputs, int64 [F], as an index into the policy's own."""
        raw = base.preferences
        if self.action == "taken":
            return taken.to(raw.device)
        if self.action != "greedy":
            index = self.policy.action_meanings.index(self.action)
            return torch.full_like(taken, index, device=raw.device)
        if self.groups is None:
            return raw.argmax(-1)
        best = self.preferences(base).argmax(-1)
        outside = self._to_groups(raw.device)[None, :] != best[:, None]
        return raw.masked_fill(outside, -torch.inf).argmax(-1)

    def positions(self, base: PolicyOutput, explained: Tensor) -> tuple[Tensor, Tensor]:
        """Explained action and the one compared with, int64 [F] each, after merging."""
        preferences = self.preferences(base)
        action = explained
        if self.groups is not None:
            action = self._to_groups(explained.device)[explained]
        if self.contrast is None:
            return action, scores.runner_up(preferences, action)
        other = torch.full_like(action, self._merged(self.contrast))
        return action, torch.where(other == action, scores.runner_up(preferences, action), other)

    def _to_groups(self, device: torch.device) -> Tensor:
        assert self.groups is not None
        return torch.tensor(_group_of(self.groups), device=device)


def _group_of(groups: Sequence[Sequence[int]]) -> list[int]:
    """For each action the number of its group."""
    group_of = {member: number for number, group in enumerate(groups) for member in group}
    return [group_of[a] for a in range(len(group_of))]


def ask(policy: Policy, asked: ActionOptions, facts: RecordingFacts) -> Question:
    """The question that a method's options put to a policy.

    Raises:
        UnknownName: no such action.
        InvalidArgument: impossible, or actions to be merged in a game that has no table of them.
    """
    if asked.merge_actions and facts.action_groups is None:
        raise InvalidArgument(
            "merge_actions needs to know which actions do the same, and nothing says so here: "
            "leave it off."
        )
    return Question(
        policy=policy,
        action=asked.action,
        contrast=asked.contrast if isinstance(asked, AskedOptions) else None,
        temperature=asked.temperature,
        groups=facts.action_groups if asked.merge_actions else None,
    )


@dataclass(frozen=True)
class Answers:
    """A policy's outputs as a question reads them; what ``scores.Outputs`` asks for."""

    question: Question
    output: PolicyOutput

    @cached_property
    def preferences(self) -> Tensor:
        """Logits or Q-values [..., A] in float64, merged where that is asked."""
        return self.question.preferences(self.output)

    @cached_property
    def logits(self) -> Tensor:
        """Preferences over the temperature of their softmax, where one is asked for."""
        temperature = self.question.temperature
        return self.preferences if temperature is None else self.preferences / temperature

    @cached_property
    def value(self) -> Tensor:
        """The critic's value in float64, or max Q where there are Q-values: shape [...]."""
        if self.output.value is not None:
            return self.output.value.double()
        return self.preferences.amax(-1)


def score_change(
    name: str, question: Question, base: PolicyOutput, perturbed: PolicyOutput, explained: Tensor
) -> Tensor:
    """One score of F unperturbed and [F, P, M] perturbed outputs: float64 [F, P, M].

    Args:
        name: a target that ``asked_targets.check_targets`` let through; not a control.
        question: the policy and the action it is asked about.
        base: outputs of F rows.
        perturbed: outputs of shape [F, P, M, A], value [F, P, M].
        explained: int64 [F], from ``question.explained``.

    Raises:
        UnknownName: no formula has this name.
    """
    if name not in scores.FORMULAS:
        raise UnknownName("score", name, scores.FORMULAS)
    action, other = question.positions(base, explained)
    before = Answers(question, _lift(base))
    return scores.FORMULAS[name](
        before, Answers(question, perturbed), action[:, None, None], other[:, None, None]
    )


def differentiated_output(
    name: str, question: Question, output: PolicyOutput, action: Tensor, other: Tensor
) -> Tensor:
    """What a gradient method differentiates: log p(a), l_a - l_b, V, Q(a), ...: float64 [N].

    Args:
        name: a target of ``targets.DIFFERENTIABLE_TARGETS``.
        question: the policy and the action it is asked about.
        output: N rows.
        action: int64 [N], the explained action after merging.
        other: int64 [N], the action compared with.

    Raises:
        UnknownName: nothing of this name can be differentiated.
    """
    if name not in scores.DIFFERENTIATED:
        raise UnknownName("differentiable score", name, scores.DIFFERENTIATED)
    return scores.DIFFERENTIATED[name](Answers(question, output), action, other)


def _lift(output: PolicyOutput) -> PolicyOutput:
    """Outputs of F rows as [F, 1, 1, ...], against which [F, P, M, ...] broadcasts."""
    value = output.value
    return output._replace(
        preferences=output.preferences[:, None, None],
        value=None if value is None else value[:, None, None],
    )
