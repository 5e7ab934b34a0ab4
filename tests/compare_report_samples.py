"""A whole comparison made of synthetic games and maps, for the page and its parts."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from agentlens.comparison.behaviour import behaviour, shared_states
from agentlens.comparison.comparison import BurnIn, Comparison, Contestant, MassShift
from agentlens.comparison.moments import map_moments, output_moments
from agentlens.comparison.returns import corrected, paired_difference, played, return_figures
from agentlens.comparison.similarity import (
    gaining_region,
    map_distance,
    mass_shift,
    seen,
    shared_maps,
    similarity,
)
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
    generator = np.random.default_rng(1)
    games = [played(r, label) for r, label in zip(recordings, labels, strict=True)]
    behaviours, similarities, shifts, moments = [], [], [], []
    for i, j in itertools.combinations(range(len(labels)), 2):
        for home, guest in ((i, j), (j, i)):
            outputs = [Game(outputs=o, values=o.max(axis=1)) for o in visits[guest]]
            visit = write(folder / f"v{guest}-{home}", outputs, player=labels[home])
            shared = shared_states(
                recordings[home], labels[home], visit, labels[guest], own_first=home == i
            )
            behaviours.append(behaviour(shared, generator))
            moments.extend(output_moments(shared, 2, generator))
            energy = generator.exponential(size=(30, 10, 8))
            sets = [
                maps(energy * generator.exponential(size=energy.shape) ** (1 + k), energy=energy)
                for k in range(2)
            ]
            one, two = (seen(m, "actor", AGENT.observation) for m in sets)
            assert one is not None
            assert two is not None
            met = shared_maps(labels[i], one, labels[j], two, states_of=labels[home], role="actor")
            similarities.append(similarity(met, generator))
            moments.extend(map_moments(shared, np.arange(30), map_distance(met), 2))
            region, gain = gaining_region(mass_shift(met), met.grid, SCREEN)
            shifts.append(
                MassShift(
                    first=labels[i],
                    second=labels[j],
                    states_of=labels[home],
                    role="actor",
                    grid=met.grid,
                    shift=mass_shift(met),
                    region=region,
                    gain=gain,
                )
            )
    return Comparison(
        contestants=tuple(
            Contestant(
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
        returns=tuple(return_figures(g, generator) for g in games),
        biases=(),
        differences=corrected(
            [paired_difference(a, b, generator) for a, b in itertools.combinations(games, 2)]
        ),
        behaviours=tuple(behaviours),
        similarities=tuple(similarities),
        burn_ins=(
            BurnIn(agent=labels[0], states_of=labels[1], steps=4, states=50, total_variation=0.07),
        ),
        shifts=tuple(shifts),
        moments=tuple(moments),
        notes=(),
        made={
            "created": "2026-11-21T12:00:00+00:00",
            "seed": 0,
            "versions": {"agentlens": "0.1.0"},
            "maps": "Maps: perturbation, kl, radius 5, stride 5, blur; 200 states a side.",
        },
    )
