"""What two agents' maps share beyond what the perturbation does to the picture."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.ranks import spearman
from agentlens.comparison.screen_maps import SharedMaps, flat


def without_energy(shared: SharedMaps) -> np.ndarray | None:
    """Spearman with both energy maps partialled out of the ranks: float64 [T]; None without."""
    energies = [e for e in (shared.first_energy, shared.second_energy) if e is not None]
    if not energies:
        return None
    controls = [flat(energy) for energy in energies]
    return spearman(flat(shared.first_values), flat(shared.second_values), *controls)


MEASURE = Measure(
    key="spearman_partial",
    heading="without energy",
    definition="The rank correlation with the agent-free energy maps (how much the perturbation "
    "changes the picture itself) partialled out: what the agents share beyond the input.",
    unit="correlation",
    subject="maps",
    compute=without_energy,
    order=120,
)
