"""A world whose cause is known: the sentence names the cell that decides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from agentlens.envs.atari.objects import GameObjects, ObjectFact
from agentlens.envs.causes.mosaic import CELL, GLYPH, MEANINGS, foreground
from agentlens.envs.protocols import resolve
from agentlens.policies.agent import Agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.spec import ActionSpec, AgentSpec
from agentlens.words.description import DescribeOptions, Describer
from tests.tiny import LinearPolicy

CELLS = 4
STEPS = 20


def planted() -> Agent:
    """Every action's logit is how much its glyph is seen, summed over all cells: distractors, which
    look the same upside down, add nothing."""
    protocol = resolve("Mosaic16-v0")
    spec = AgentSpec(
        name="mosaic-planted",
        format="none",
        environment=protocol.environment,
        observation=protocol.observation,
        action=ActionSpec(meanings=MEANINGS, selection="sample"),
    )
    weights = torch.zeros(len(MEANINGS), *spec.observation.shape)
    for action in range(len(MEANINGS)):
        cell = np.zeros((CELL, CELL))
        cell[GLYPH, GLYPH] = foreground(action) / 20
        weights[action, 0] = torch.from_numpy(np.tile(cell, (CELLS, CELLS)))
    policy = LinearPolicy(weights)
    policy.action_meanings = MEANINGS
    return Agent(spec=spec, policy=policy, folder=Path())


def cells() -> GameObjects:
    """The glyphs of a mosaic, as facts that no RAM is needed for."""
    size = GLYPH.stop - GLYPH.start
    objects = tuple(
        ObjectFact(
            name=f"cell {place}",
            x=place % CELLS * CELL + GLYPH.start,
            y=place // CELLS * CELL + GLYPH.start,
            width=size,
            height=size,
            other_than=(0,),
            rigid=False,
            reach=0,
        )
        for place in range(CELLS**2)
    )
    return GameObjects(
        game="mosaic", objects=objects, own="", threats=(), backdrop=110, sources=("its code",)
    )


def test_the_sentence_names_the_cell_that_decides(tmp_path: Path) -> None:
    agent = planted()
    recording = record(agent, output=tmp_path / "mosaic", play=Play(max_steps=STEPS, n_envs=1))
    options = DescribeOptions(shares=False, merge_actions=False)
    episode = recording.episodes[0]
    causes = episode.fingerprints[:, 0]
    right = 0
    for part in Describer(recording, agent, options, cells()).describe(episode, 0, STEPS):
        for row, line in enumerate(part.sentences):
            cited = np.flatnonzero(part.cited[row])
            cause = int(causes[part.steps[row]])
            right += cited.tolist() == [cause] and f"cell {cause} " in line
    assert right >= 0.95 * STEPS
