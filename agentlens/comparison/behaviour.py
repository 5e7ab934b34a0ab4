"""How alike two agents act on the same states.

Both agents' outputs are first brought to one list of actions: the union of their action sets, with
actions that do the same in the game merged. Shape letters: T states, A actions of that list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agentlens.actions import merge_groups
from agentlens.arrays import check_shape
from agentlens.comparison.statistics import (
    Interval,
    Statistic,
    bootstrap,
    correlation_sums,
    of_correlation,
    of_means,
)
from agentlens.errors import InvalidArgument, NotFinite
from agentlens.spec import AgentSpec
from agentlens.store.recording import Episode, Recording


@dataclass(frozen=True, kw_only=True)
class Actions:
    """The common list of actions of two agents in one game.

    ``names``: one a group, such as "RIGHT = RIGHTFIRE"; ``columns[agent][i]``: the group of that
    agent's output ``i``.
    """

    names: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]

    def allowed(self, agent: int) -> np.ndarray:
        """bool [A]: which groups this agent can choose."""
        return np.isin(np.arange(len(self.names)), self.columns[agent])


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """What one agent says about T states.

    ``greedy``: int64 [T], group with the largest probability or Q-value. ``probabilities``:
    float64 [T, A], or None for a Q-network, whose outputs are no distribution. ``values``:
    float64 [T], or None without a critic (for a Q-network: the largest Q-value).
    """

    greedy: np.ndarray
    probabilities: np.ndarray | None
    values: np.ndarray | None


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedStates:
    """Two agents' outputs on the states that one of them, ``states_of``, lived through.

    ``episodes``, ``steps``: int64 [T], which state.
    """

    first: str
    second: str
    states_of: str
    actions: Actions
    episodes: np.ndarray
    steps: np.ndarray
    first_outputs: Outputs
    second_outputs: Outputs


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How alike two agents act on shared states; intervals resample whole episodes.

    ``greedy_agreement``: share of states with the same greedy action. ``sampled_agreement``: how
    often actions drawn from both would be equal, sum of p_A p_B; ``first_self`` and
    ``second_self``: the same of each with itself, sum of p^2, which is what it can reach at most
    for equal policies. ``kl_first_second``: KL(first || second) in nats, and the other way round;
    ``total_variation``: half the sum of |p_A - p_B|, 0 to 1. ``value_correlation``: Pearson.
    ``first_entropy``, ``second_entropy``: nats. None where a measure is not defined: KL where one
    agent lacks an action of the other, everything but greedy agreement for Q-networks.
    """

    first: str
    second: str
    states_of: str
    states: int
    episodes: int
    greedy_agreement: Interval
    sampled_agreement: Interval | None
    first_self: Interval | None
    second_self: Interval | None
    kl_first_second: Interval | None
    kl_second_first: Interval | None
    total_variation: Interval | None
    value_correlation: Interval | None
    value_difference: Interval | None
    first_entropy: Interval | None
    second_entropy: Interval | None


def common_actions(first: AgentSpec, second: AgentSpec) -> Actions:
    """The union of two action sets with actions that do the same merged.

    Raises:
        InvalidArgument: the agents play different games.
    """
    game = first.environment.game
    if second.environment.game != game:
        raise InvalidArgument(
            f"{first.name} plays {game} and {second.name} plays {second.environment.game}: "
            "only agents of one game can be compared."
        )
    ours, theirs = first.action.meanings, second.action.meanings
    union = (*ours, *(m for m in theirs if m not in ours))
    groups = merge_groups(game, union)
    home = {union[i]: g for g, members in enumerate(groups) for i in members}
    return Actions(
        names=tuple(" = ".join(union[i] for i in members) for members in groups),
        columns=(tuple(home[m] for m in ours), tuple(home[m] for m in theirs)),
    )


def outputs_of(episode: Episode, actions: Actions, agent: int) -> Outputs:
    """An agent's recorded outputs in the common list of actions.

    Args:
        episode: of a recording or a revisit of that agent.
        actions: from ``common_actions``.
        agent: 0 or 1, its place there.

    Raises:
        NotFinite: an output is NaN or infinite; names the step.
    """
    columns = np.array(actions.columns[agent])
    raw = episode.logits if episode.logits is not None else episode.q_values
    if raw is None:
        raise InvalidArgument(f"episode {episode.index} holds neither logits nor Q-values.")
    check_shape("outputs", raw, (len(episode), len(columns)))
    scores = raw.astype(np.float64)
    if not np.isfinite(scores).all():
        step = int(episode.steps[np.argwhere(~np.isfinite(scores))[0, 0]])
        raise NotFinite(f"episode {episode.index}, step {step}: an output is not finite.")
    member = columns[:, None] == np.arange(len(actions.names))[None, :]
    if episode.logits is None:
        best = np.where(member, scores[:, :, None], -np.inf).max(axis=1)
        return Outputs(greedy=best.argmax(axis=1), probabilities=None, values=best.max(axis=1))
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    merged = weights @ member.astype(np.float64)
    merged /= merged.sum(axis=1, keepdims=True)
    values = None if episode.values is None else episode.values.astype(np.float64)
    return Outputs(greedy=merged.argmax(axis=1), probabilities=merged, values=values)


def shared_states(
    states: Recording, own: str, other: Recording, visitor: str, *, own_first: bool
) -> SharedStates:
    """Line up an agent's recording with another agent's revisit of it.

    Args:
        states: the recording whose states are shared; ``own``: its agent's shown name.
        other: the revisit of it; ``visitor``: its agent's shown name.
        own_first: whether the owner of the states is the pair's first agent.

    Raises:
        InvalidArgument: the revisit has other steps than the recording.
    """
    specs = (states.header.agent, other.header.agent)
    actions = common_actions(*(specs if own_first else specs[::-1]))
    known = {e.index: e for e in other.episodes if e.complete}
    pairs = [(e, known[e.index]) for e in states.episodes if e.complete and e.index in known]
    if not pairs:
        raise InvalidArgument(f"{other.folder} revisits no finished episode of {states.folder}.")
    for ours, theirs in pairs:
        if not np.array_equal(ours.steps, theirs.steps):
            raise InvalidArgument(
                f"{other.folder} is no revisit of {states.folder}: episode {ours.index} has "
                f"{len(theirs)} steps there and {len(ours)} here."
            )
    place = 0 if own_first else 1
    owner = _join([outputs_of(e, actions, place) for e, _ in pairs])
    guest = _join([outputs_of(e, actions, 1 - place) for _, e in pairs])
    return SharedStates(
        first=own if own_first else visitor,
        second=visitor if own_first else own,
        states_of=own,
        actions=actions,
        episodes=np.concatenate([np.full(len(e), e.index) for e, _ in pairs]),
        steps=np.concatenate([e.steps for e, _ in pairs]).astype(np.int64),
        first_outputs=owner if own_first else guest,
        second_outputs=guest if own_first else owner,
    )


def state_measures(shared: SharedStates) -> Mapping[str, np.ndarray]:
    """Every measure of ``Behaviour`` that is a mean over states, by state: float64 [T] each."""
    one, two = shared.first_outputs, shared.second_outputs
    measures: dict[str, np.ndarray] = {
        "greedy_agreement": (one.greedy == two.greedy).astype(np.float64)
    }
    p, q = one.probabilities, two.probabilities
    if p is not None:
        measures["first_self"], measures["first_entropy"] = (p * p).sum(1), _entropy(p)
    if q is not None:
        measures["second_self"], measures["second_entropy"] = (q * q).sum(1), _entropy(q)
    if p is not None and q is not None:
        measures["sampled_agreement"] = (p * q).sum(1)
        measures["total_variation"] = np.abs(p - q).sum(1) / 2
        can_first, can_second = shared.actions.allowed(0), shared.actions.allowed(1)
        if (can_second | ~can_first).all():
            measures["kl_first_second"] = divergence(p, q)
        if (can_first | ~can_second).all():
            measures["kl_second_first"] = divergence(q, p)
    if one.values is not None and two.values is not None:
        measures["value_difference"] = one.values - two.values
    return measures


def behaviour(shared: SharedStates, generator: np.random.Generator) -> Behaviour:
    """Measure how alike two agents act, with intervals that resample episodes."""
    episodes = np.unique(shared.episodes)
    counts = np.array([(shared.episodes == e).sum() for e in episodes])

    def interval(statistic: Statistic) -> Interval:
        return bootstrap(statistic, len(episodes), generator).interval()

    found = {
        name: interval(
            of_means(np.array([values[shared.episodes == e].sum() for e in episodes]), counts)
        )
        for name, values in state_measures(shared).items()
    }
    correlation = None
    one, two = shared.first_outputs.values, shared.second_outputs.values
    if one is not None and two is not None and np.ptp(one) > 0 and np.ptp(two) > 0:
        sums = [
            correlation_sums(
                one[shared.episodes == e] - one.mean(), two[shared.episodes == e] - two.mean()
            )
            for e in episodes
        ]
        correlation = interval(of_correlation(np.stack(sums)))
    names = (
        "sampled_agreement",
        "first_self",
        "second_self",
        "kl_first_second",
        "kl_second_first",
        "total_variation",
        "value_difference",
        "first_entropy",
        "second_entropy",
    )
    return Behaviour(
        first=shared.first,
        second=shared.second,
        states_of=shared.states_of,
        states=len(shared.steps),
        episodes=len(episodes),
        greedy_agreement=found["greedy_agreement"],
        value_correlation=correlation,
        **{name: found.get(name) for name in names},
    )


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """KL(p || q) by state in nats: float64 [T], never negative; 0 log 0 is 0.

    Args:
        p, q: float64 [T, A], rows sum to 1. A probability of q that underflowed to 0 is taken as
            the smallest positive float.
    """
    tiny = np.finfo(np.float64).tiny
    ratio = np.log(np.maximum(p, tiny)) - np.log(np.maximum(q, tiny))
    result: np.ndarray = np.maximum(np.where(p > 0, p * ratio, 0.0).sum(axis=1), 0.0)
    return result


def _entropy(p: np.ndarray) -> np.ndarray:
    logs = np.log(np.where(p > 0, p, 1.0))
    result: np.ndarray = -(p * logs).sum(axis=1)
    return result


def _join(parts: list[Outputs]) -> Outputs:
    probabilities = [o.probabilities for o in parts if o.probabilities is not None]
    values = [o.values for o in parts if o.values is not None]
    return Outputs(
        greedy=np.concatenate([o.greedy for o in parts]),
        probabilities=np.concatenate(probabilities) if probabilities else None,
        values=np.concatenate(values) if values else None,
    )
