"""What two agents say about the same states, lined up.

Both agents' outputs are first brought to one list of actions: the union of their action sets, with
actions that do the same in the game merged. Shape letters: T states, A actions of that list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from agentlens.arrays import check_shape
from agentlens.envs.alike import merge_groups
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

    def swapped(self) -> SharedStates:
        """The same with the second agent first."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            actions=replace(self.actions, columns=self.actions.columns[::-1]),
            first_outputs=self.second_outputs,
            second_outputs=self.first_outputs,
        )


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


def _join(parts: list[Outputs]) -> Outputs:
    probabilities = [o.probabilities for o in parts if o.probabilities is not None]
    values = [o.values for o in parts if o.values is not None]
    return Outputs(
        greedy=np.concatenate([o.greedy for o in parts]),
        probabilities=np.concatenate(probabilities) if probabilities else None,
        values=np.concatenate(values) if values else None,
    )
