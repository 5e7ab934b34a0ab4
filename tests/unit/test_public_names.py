"""The short public list: every name loads, nothing else creeps in, packages do not hide
functions."""

from __future__ import annotations

import agentlens


def test_public_names_are_these() -> None:
    assert sorted(agentlens.__all__) == [
        "ActionSpec",
        "Agent",
        "AgentSpec",
        "AgentlensError",
        "CheckpointOptions",
        "ComparisonPlan",
        "Compute",
        "DescribeOptions",
        "Draw",
        "EnvironmentSpec",
        "Episode",
        "Intervention",
        "MapSet",
        "MeanMap",
        "MeasurePlan",
        "ObservationSpec",
        "Play",
        "PlayOn",
        "Recording",
        "compare",
        "describe",
        "estimate_seconds",
        "explain",
        "find_moments",
        "import_agent",
        "intervene",
        "intervention_video",
        "list_agents",
        "load_agent",
        "mean_maps",
        "mean_picture",
        "measure",
        "methods",
        "objects",
        "open_maps",
        "open_recording",
        "record",
        "render",
        "revisit",
        "score",
        "still",
        "verify",
        "video",
        "watch",
        "whynot",
    ]


def test_every_public_name_loads_and_is_documented() -> None:
    for name in agentlens.__all__:
        assert getattr(agentlens, name).__doc__, name
