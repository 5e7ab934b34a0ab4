"""agentlens shows what a reinforcement-learning agent looks at, why it acted and how two differ.

The public names below are loaded on first use; importing agentlens imports neither torch nor the
emulator. The whole job in Python::

    import agentlens

    agent = agentlens.load_agent("pong-ppo")
    recording = agentlens.record(agent, output="recordings/x", play=agentlens.Play(seed=0))
    maps = agentlens.explain(recording, "perturbation", steps=range(0, 200))
    agentlens.render(recording, maps, "x.mp4")
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentlens.compute import Compute as Compute
    from agentlens.drawing.draw import Draw as Draw
    from agentlens.drawing.mean_picture import mean_picture as mean_picture
    from agentlens.drawing.means import MeanMap as MeanMap
    from agentlens.drawing.means import mean_maps as mean_maps
    from agentlens.drawing.moments import find_moments as find_moments
    from agentlens.drawing.render import render as render
    from agentlens.drawing.still import still as still
    from agentlens.errors import AgentlensError as AgentlensError
    from agentlens.policies.agent import Agent as Agent
    from agentlens.policies.agent import list_agents as list_agents
    from agentlens.policies.agent import load_agent as load_agent
    from agentlens.policies.importing import import_agent as import_agent
    from agentlens.rollout.play import Play as Play
    from agentlens.rollout.recorder import record as record
    from agentlens.rollout.replay import verify as verify
    from agentlens.rollout.revisit import revisit as revisit
    from agentlens.saliency import methods as methods
    from agentlens.saliency.explain import estimate_seconds as estimate_seconds
    from agentlens.saliency.explain import explain as explain
    from agentlens.spec import ActionSpec as ActionSpec
    from agentlens.spec import AgentSpec as AgentSpec
    from agentlens.spec import EnvironmentSpec as EnvironmentSpec
    from agentlens.spec import ObservationSpec as ObservationSpec
    from agentlens.store.maps import MapSet as MapSet
    from agentlens.store.maps import open_maps as open_maps
    from agentlens.store.recording import Episode as Episode
    from agentlens.store.recording import Recording as Recording
    from agentlens.store.recording import open_recording as open_recording
    from agentlens.words.description import DescribeOptions as DescribeOptions
    from agentlens.workflows.compare import compare as compare
    from agentlens.workflows.compare_plan import ComparisonPlan as ComparisonPlan
    from agentlens.workflows.describe import describe as describe
    from agentlens.workflows.intervene import intervene as intervene
    from agentlens.workflows.intervene_options import Intervention as Intervention
    from agentlens.workflows.intervene_options import PlayOn as PlayOn
    from agentlens.workflows.intervene_video import intervention_video as intervention_video
    from agentlens.workflows.measure import measure as measure
    from agentlens.workflows.measure_plan import MeasurePlan as MeasurePlan
    from agentlens.workflows.objects import objects as objects
    from agentlens.workflows.participants import CheckpointOptions as CheckpointOptions
    from agentlens.workflows.score import score as score
    from agentlens.workflows.video import video as video
    from agentlens.workflows.watch import watch as watch
    from agentlens.workflows.whynot import whynot as whynot

_HOMES = {
    "ActionSpec": "spec",
    "Agent": "policies.agent",
    "AgentSpec": "spec",
    "AgentlensError": "errors",
    "CheckpointOptions": "workflows.participants",
    "ComparisonPlan": "workflows.compare_plan",
    "Compute": "compute",
    "DescribeOptions": "words.description",
    "Draw": "drawing.draw",
    "EnvironmentSpec": "spec",
    "Episode": "store.recording",
    "Intervention": "workflows.intervene_options",
    "MapSet": "store.maps",
    "MeasurePlan": "workflows.measure_plan",
    "ObservationSpec": "spec",
    "MeanMap": "drawing.means",
    "Play": "rollout.play",
    "PlayOn": "workflows.intervene_options",
    "Recording": "store.recording",
    "compare": "workflows.compare",
    "describe": "workflows.describe",
    "estimate_seconds": "saliency.explain",
    "explain": "saliency.explain",
    "find_moments": "drawing.moments",
    "intervene": "workflows.intervene",
    "intervention_video": "workflows.intervene_video",
    "import_agent": "policies.importing",
    "list_agents": "policies.agent",
    "load_agent": "policies.agent",
    "measure": "workflows.measure",
    "mean_maps": "drawing.means",
    "mean_picture": "drawing.mean_picture",
    "methods": "saliency",
    "objects": "workflows.objects",
    "open_maps": "store.maps",
    "open_recording": "store.recording",
    "record": "rollout.recorder",
    "render": "drawing.render",
    "revisit": "rollout.revisit",
    "score": "workflows.score",
    "still": "drawing.still",
    "verify": "rollout.replay",
    "video": "workflows.video",
    "watch": "workflows.watch",
    "whynot": "workflows.whynot",
}

_MODULES = {"methods"}
"""The names that are modules themselves."""

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'agentlens' has no attribute {name!r}")
    home = f"agentlens.{_HOMES[name]}"
    if name in _MODULES:
        value: Any = importlib.import_module(f"{home}.{name}")
    else:
        value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    if "IPython" in sys.modules:
        importlib.import_module("agentlens.workflows.notebook").install()
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
