"""agentlens concepts: a policy said in a few numbers, each beside what it follows."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Say an agent's policy in k numbers of one of its layers, and what each number follows.

    Learned on the first four fifths of the recording's steps with an object in sight; all figures
    are of the rest. KL: from the policy to what the numbers give. Beside the numbers stand as many
    principal components with a linear map learned the same way, and the mean policy, which needs
    no number. The learned numbers are turned until they are as independent as they can be.
    Orthogonality: 1 where they do not correlate; locality: 1 where each depends on one unit of
    the layer, 0 where on all alike. Correlations are with the objects' middles; the last column is
    the largest that the same number reaches with its steps rolled.

    Example: agentlens concepts recordings/pong-ppo --place torso.8 --k 5
    """

    source: RecordingChoice
    compute: DeviceFlags
    place: str
    """A vector or memory such as torso.8 (agentlens network lists them)."""
    k: int = 5
    """Numbers."""
    updates: int = 1500
    """Steps of learning."""
    output: Location = None
    """Table and artefact to write, without a suffix; concepts-PLACE in the recording's folder if
    not given."""
    force: bool = False
    """Replace what is there already."""


def run(options: Options) -> int:
    """Print how well the numbers say the policy and what each follows."""
    from agentlens.cli._agent import use_compute
    from agentlens.network.concepts import EmbeddingPlan
    from agentlens.workflows.embedding import find_concepts

    result = find_concepts(
        options.source.open(),
        options.place,
        EmbeddingPlan(numbers=options.k, updates=options.updates),
        compute=use_compute(options.compute),
        output=options.output,
        force=options.force,
    )
    fits = (
        (f"{options.k} learned numbers", result.embedding),
        (f"{options.k} principal components", result.components),
    )
    rows = [
        (name, f"{fit.kl:.4f}", f"{fit.orthogonality:.2f}", f"{fit.locality:.2f}")
        for name, fit in fits
    ]
    rows.append(("none (the mean policy)", f"{result.constant_kl:.4f}", "-", "-"))
    table((f"{options.place} as", "KL", "orthogonality", "locality"), rows)
    print()
    named = [
        (name, str(n.number), n.coordinate, f"{n.correlation:+.2f}", f"{n.rolled:.2f}")
        for name, fit in (("learned", fits[0][1]), ("component", fits[1][1]))
        for n in fit.named
    ]
    table(("kind", "number", "follows", "correlation", "other steps"), named)
    print(f"learned on {result.learned} steps, figures of the {result.held} after them")
    print(f"table: {result.path}.parquet and .csv; artefact: {result.path}")
    print(f"numbers at every step: {result.curves}.parquet and .csv; agentlens render draws them")
    print("with --panels game actions numbers")
    return 0


VERB = Verb(summary="say a policy in a few numbers", options=Options, run=run, order=49)
