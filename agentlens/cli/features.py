"""agentlens features: a layer as few of many directions, named, beside principal components."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Learn sparse features of a layer of an agent and say what each stands for.

    Learned on the first four fifths of the recording's steps with an object in sight; all figures
    are of the rest. KL: from the policy to the policy with the rebuilt layer in its place. Names
    are attributes (AUC); beside each stand the untrained network's 99th percentile of features
    learned the same way, and the score with the attribute's steps rolled. "not: X": the feature is
    larger where X does not hold.

    Example: agentlens features recordings/pong-ppo --place torso.8 --active 16
    """

    source: RecordingChoice
    compute: DeviceFlags
    place: str
    """A vector or memory such as torso.8 (agentlens network lists them)."""
    active: int = 16
    """Features that are not zero in a step."""
    features: int = 256
    """Features in all."""
    updates: int = 2000
    """Steps of learning."""
    best: int = 8
    """Features to print; all are in the table."""
    output: Location = None
    """Table and artefact to write, without a suffix; features-PLACE in the recording's folder if
    not given."""
    force: bool = False
    """Replace features that are there already."""


def run(options: Options) -> int:
    """Print how well the layer is rebuilt and what the best features stand for."""
    from agentlens.cli._agent import use_compute
    from agentlens.network.features import FeaturePlan
    from agentlens.workflows.features import find_features

    plan = FeaturePlan(active=options.active, features=options.features, updates=options.updates)
    result = find_features(
        options.source.open(),
        options.place,
        plan,
        compute=use_compute(options.compute),
        output=options.output,
        force=options.force,
    )
    rows = []
    for name, part in (
        (f"{plan.active} active of {plan.features} features", result.sparse),
        (f"{plan.active} principal components", result.components),
    ):
        kl = "-" if part.kl is None else f"{part.kl:.4f}"
        rows.append((name, f"{part.explained:.3f}", kl))
    table((f"{options.place} from", "explained variance", "KL"), rows)
    print(f"{result.dead:.0%} of the features are zero on all held-out steps\n")
    order = sorted(result.matches, key=lambda match: -match.excess)[: options.best]
    table(
        ("feature", "stands for", "AUC", "untrained", "other steps", "excess"),
        [
            (
                str(match.unit),
                match.stands_for,
                *(f"{v:.2f}" for v in (match.score, match.twin, match.shuffled, match.excess)),
            )
            for match in order
        ],
    )
    above = sum(match.excess > 0 for match in result.matches)
    print(f"{above} of {plan.features} features are above both controls")
    print(f"learned on {result.learned} steps, figures of the {result.held} after them")
    print(f"table: {result.path}.parquet and .csv; artefact: {result.path}")
    return 0


VERB = Verb(summary="learn a layer's sparse features", options=Options, run=run, order=49)
