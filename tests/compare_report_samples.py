"""A whole comparison made of synthetic games and maps, for the page and its parts."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from agentlens.badges import Figure, judge
from agentlens.comparison.behaviour import behaviour
from agentlens.comparison.comparison import AgentSummary, BurnIn, Comparison
from agentlens.comparison.mass import map_distance, mass_shift_of
from agentlens.comparison.moments import map_moments, output_moments
from agentlens.comparison.outputs import shared_states
from agentlens.comparison.returns import corrected, paired_difference, played, return_figures
from agentlens.comparison.screen_maps import aligned_maps, to_screen_maps
from agentlens.comparison.similarity import similarity
from agentlens.comparison.trust import MapTrust
from tests.compare_samples import AGENT, SCREEN, Game, maps, write

LENGTHS = (30, 24, 41, 28, 33, 30)


def comparison(folder: Path, labels: tuple[str, ...] = ("late", "early")) -> Comparison:
    """Agents of falling strength; everything measured by the real functions."""
    generator = np.random.default_rng(0)
    base = [generator.normal(size=(n, 6)) for n in LENGTHS]
    recordings, visits = [], {}
    for i in range(len(labels)):
        own = [b + 0.8 * i * generator.normal(size=b.shape) for b in base]
        totals = np.round(generator.normal(20 - 9 * i, 2 + 2 * i, size=len(base)))
        games = [
            Game(outputs=o, values=o.max(axis=1) + i, total=float(t), seed=s + 1)
            for s, (o, t) in enumerate(zip(own, totals, strict=True))
        ]
        recordings.append(write(folder / f"r{i}", games))
        visits[i] = own
    games = [played(r, label) for r, label in zip(recordings, labels, strict=True)]
    behaviours, similarities, shifts, moments = [], [], [], []
    for i, j in itertools.combinations(range(len(labels)), 2):
        for home, guest in ((i, j), (j, i)):
            outputs = [Game(outputs=o, values=o.max(axis=1)) for o in visits[guest]]
            visit = write(folder / f"v{guest}-{home}", outputs, player=labels[home])
            shared = shared_states(
                recordings[home], labels[home], visit, labels[guest], own_first=home == i
            )
            behaviours.append(behaviour(shared))
            moments.extend(output_moments(shared, 2))
            energy = generator.exponential(size=(30, 10, 8))
            sets = [
                maps(energy * generator.exponential(size=energy.shape) ** (1 + k), energy=energy)
                for k in range(2)
            ]
            first, second = (to_screen_maps(m, "actor", AGENT.observation) for m in sets)
            assert first is not None
            assert second is not None
            pair = (labels[i], labels[j])
            aligned = aligned_maps(first, second, labels=pair, states_of=labels[home], role="actor")
            similarities.append(similarity(aligned))
            moments.extend(map_moments(shared, np.arange(30), map_distance(aligned), 2))
            shifts.append(mass_shift_of(aligned, SCREEN))
    return Comparison(
        agents=tuple(
            AgentSummary(
                label=label,
                name=label,
                algorithm="PPO",
                game="pong",
                selection="sample",
                protocol="ALE/Pong-v5, frame skip 4, sticky 0, sample",
                memory=False,
                weights="ab" * 32,
                seed=0,
            )
            for label in labels
        ),
        games=tuple(games),
        returns=tuple(return_figures(g) for g in games),
        biases=(),
        differences=corrected(
            [paired_difference(a, b) for a, b in itertools.combinations(games, 2)]
        ),
        behaviours=tuple(behaviours),
        similarities=tuple(similarities),
        burn_ins=(
            BurnIn(agent=labels[0], states_of=labels[1], steps=4, states=50, total_variation=0.07),
        ),
        shifts=tuple(shifts),
        moments=tuple(moments),
        notes=(),
        trust=trust(labels),
        made={
            "created": "2026-11-21T12:00:00+00:00",
            "seed": 0,
            "versions": {"agentlens": "0.1.0"},
            "maps": "Maps: perturbation, kl, radius 5, stride 5, blur; 200 states a side.",
        },
    )


def trust(labels: tuple[str, ...]) -> tuple[MapTrust, ...]:
    """Badges of the first agent's maps; nothing measured of the others'."""
    figures = {"randomisation": Figure(estimate=0.8, low=0.75, high=0.84)}
    return tuple(
        MapTrust(
            agent=label,
            method="perturbation",
            badges=judge(known),
            figures=known,
            states=40 if known else 0,
            units="6 episodes" if known else "",
        )
        for label, known in ((label, {} if i else figures) for i, label in enumerate(labels))
    )
