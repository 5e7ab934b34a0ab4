"""Worlds beside emulators through the whole job: record, verify, revisit, explain, video, compare.

A policy planted in one colour of one pixel of one frame gets its peak there and nowhere else.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import stable_baselines3
import torch
from torch import Tensor

import agentlens
from agentlens.compute import Compute
from agentlens.envs.protocols import resolve
from agentlens.errors import EmulatorError, InvalidArgument
from agentlens.policies.agent import Agent, load_agent, random_agent
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.policies.importing import import_agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.rollout.replay import verify
from agentlens.saliency.explain import explain
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.optimise.training import TrainingPlan
from agentlens.spec import ActionSpec, AgentSpec
from agentlens.store.artefacts import read_artefact
from agentlens.store.recording import open_recording
from agentlens.workflows.compare import compare
from agentlens.workflows.compare_plan import ComparisonPlan
from agentlens.workflows.intervene import intervene
from agentlens.workflows.intervene_options import Intervention, PlayOn
from agentlens.workflows.train_masks import train_masks
from agentlens.workflows.watch import watch
from tests import worlds

CPU = Compute(device="cpu", engine="batched", threads=1)
FRAMES = 3
ROW, COLUMN = 14, 9
"""Where the planted policy looks."""


@pytest.fixture(autouse=True)
def _registered() -> None:
    worlds.register()


class Planted(Policy):
    """Its first logit is the green of one pixel in the oldest frame."""

    def __init__(self, spec: AgentSpec, frame: int = 0, gain: float = 20.0) -> None:
        super().__init__()
        self.observation_shape, self.channels = spec.observation.shape, 3
        self.action_meanings = spec.action.meanings
        self.state_size, self.kind, self.has_value = 0, "logits", False
        self.gain = torch.nn.Parameter(torch.tensor(gain), requires_grad=False)
        self.plane = 3 * frame + 1
        self.eval()

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        green = observation[:, self.plane, ROW, COLUMN] * self.gain
        logits = torch.stack([green, 0 * green, 0 * green], dim=1)
        return PolicyOutput(preferences=logits, kind="logits")


def planted(folder: Path, frame: int = 0, gain: float = 20.0) -> Agent:
    protocol = resolve(worlds.COLOURED, observation={"stack": FRAMES})
    spec = AgentSpec(
        name=f"planted-{folder.name}",
        format="safetensors",
        environment=protocol.environment,
        observation=protocol.observation,
        action=ActionSpec(meanings=("STAY", "LEFT", "RIGHT"), selection="sample"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agent.toml").write_text("# a stand-in\n")
    return Agent(spec=spec, policy=Planted(spec, frame, gain), folder=folder)


def test_colour_frames_are_recorded_as_the_world_shows_them(tmp_path: Path) -> None:
    agent = planted(tmp_path / "a")
    assert agent.spec.observation.shape == (9, worlds.ROWS, worlds.COLUMNS)
    assert agent.spec.observation.frames_of_planes == (0, 0, 0, 1, 1, 1, 2, 2, 2)
    recording = record(agent, output=tmp_path / "r", play=Play(episodes=2, seed=4))
    assert recording.header.screens == "rgb"
    assert recording.header.ticks_per_second == 10
    assert recording.complete
    first = recording.episodes[0]
    assert (len(first), first.end) == (worlds.LENGTH, "terminated")
    assert first.raw_return == (first.actions == 2).sum()
    screens, planes = first.screens[:], first.planes[:]
    np.testing.assert_array_equal(planes, screens.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(first.screens_before[:], screens)
    expected = np.concatenate([planes[2], planes[3], planes[4]]).astype(np.float32) / 255
    np.testing.assert_array_equal(first.observations[4], expected)
    repeated = np.concatenate([planes[0]] * 3).astype(np.float32) / 255
    np.testing.assert_array_equal(first.observations[0], repeated)
    assert first.fingerprints.shape == (worlds.LENGTH, 32)
    with pytest.raises(InvalidArgument, match="without RAM"):
        _ = first.ram
    assert [str(v) for v in verify(recording)] == [
        "episode 0: exact, 12 steps",
        "episode 1: exact, 12 steps",
    ]


def test_a_planted_colour_gets_its_peak_on_pixel_and_frame(tmp_path: Path) -> None:
    recording = record(planted(tmp_path / "a"), output=tmp_path / "r", play=Play(seed=4))
    method = Perturbation(radius=1.0, stride=1, planes="each", reference="constant:0")
    maps = explain(recording, method, steps=range(4, 8), agent=planted(tmp_path / "a"), compute=CPU)
    assert len(maps.planes) == FRAMES
    heat = maps.values[:, maps.targets.index("kl")]
    assert not heat[:, 1:].any()
    for oldest in heat[:, 0]:
        y, x = np.unravel_index(oldest.argmax(), oldest.shape)
        assert (maps.grid.rows[y], maps.grid.columns[x]) == (ROW, COLUMN)


def test_video_and_comparison(tmp_path: Path) -> None:
    agents = planted(tmp_path / "a"), planted(tmp_path / "b", frame=2, gain=-20.0)
    recordings = [
        record(agent, output=tmp_path / f"r{i}", play=Play(episodes=2, seed=4))
        for i, agent in enumerate(agents)
    ]
    maps = explain(recordings[0], Perturbation(stride=8), agent=agents[0], compute=CPU)
    path = agentlens.render(recordings[0], maps, tmp_path / "x.mp4")
    assert path.stat().st_size > 1000
    plan = ComparisonPlan(
        map_states=4, moments=1, video_steps=3, states=0, episodes=2, badge_states=3
    )
    found = compare(agents, output=tmp_path / "report", plan=plan, compute=CPU)
    assert (found.folder / "report.html").is_file()


def test_a_colour_checkpoint_of_stable_baselines3_from_import_to_comparison(
    tmp_path: Path,
) -> None:
    options = {"device": "cpu", "n_steps": 8, "batch_size": 8, "seed": 3}
    model = stable_baselines3.PPO("CnnPolicy", worlds.LARGE, **options)
    model.save(tmp_path / "ppo.zip")
    manifest = tmp_path / "colour.toml"
    manifest.write_text("[observation]\nchannels = 3\n")
    folder = import_agent(
        tmp_path / "ppo.zip", tmp_path / "coloured", env=worlds.LARGE, manifest=manifest
    )
    agent = load_agent(folder)
    assert agent.spec.observation.shape == (3, 36, 40)
    assert agent.spec.observation.channels == 3
    recording = record(agent, output=tmp_path / "r", play=Play(episodes=2, seed=4))
    first = recording.episodes[0]
    pictures = torch.from_numpy(first.screens[:].transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        theirs = model.policy.get_distribution(pictures).distribution.logits.numpy()
    ours = torch.from_numpy(first.logits[:]).log_softmax(1).numpy()
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    assert all(episode.exact for episode in verify(recording))
    compute = Compute(device="cpu", engine="incremental", threads=1)
    maps = explain(recording, Perturbation(stride=8), compute=compute)
    again = explain(recording, Perturbation(stride=8), compute=CPU, output=tmp_path / "batched")
    largest = np.abs(again.values).max()
    np.testing.assert_allclose(maps.values, again.values, rtol=0, atol=1e-4 * largest)
    path = agentlens.render(recording, maps, tmp_path / "x.mp4")
    assert path.stat().st_size > 1000
    plan = ComparisonPlan(
        map_states=4, moments=1, video_steps=3, states=0, episodes=2, badge_states=3
    )
    rival = load_agent("random", env=worlds.LARGE)
    report = compare((agent, rival), output=tmp_path / "report", plan=plan, compute=CPU)
    assert (report.folder / "report.html").is_file()


def test_masks_are_learned_for_a_colour_agent(tmp_path: Path) -> None:
    """One background of three colours; the colours of the newest frame are hidden together."""
    options = {"device": "cpu", "n_steps": 8, "batch_size": 8, "seed": 3}
    stable_baselines3.PPO("CnnPolicy", worlds.LONG, **options).save(tmp_path / "ppo.zip")
    manifest = tmp_path / "colour.toml"
    manifest.write_text("[observation]\nchannels = 3\n")
    folder = import_agent(
        tmp_path / "ppo.zip", tmp_path / "coloured", env=worlds.LONG, manifest=manifest
    )
    recording = record(load_agent(folder), output=tmp_path / "r", play=Play(seed=4))
    assert len(recording.episodes[0]) == 110
    plan = TrainingPlan(teacher_frames=8, teacher_updates=2, updates=2, batch=4)
    for planes in ("newest", "each"):
        method = Lan(steps=2, planes=planes)
        masks = train_masks([recording], tmp_path / planes, method=method, plan=plan, compute=CPU)
        learned = read_artefact(masks.folder, "mask network")
        assert learned.tensors["background"].shape == (3, 36, 40)
        quick = Lan(planes=planes, network=str(masks.folder))
        maps = explain(
            recording, quick, steps=range(8), compute=CPU, output=tmp_path / f"m{planes}"
        )
        assert maps.values.shape == (8, 1, 1, 9, 10)


def test_a_rendered_world_is_seen_through_its_screens(tmp_path: Path) -> None:
    agent = load_agent("random", env=worlds.DRAWN)
    assert agent.spec.observation.source == "screen"
    assert agent.spec.action.meanings == ("action 0", "action 1")
    recording = record(agent, output=tmp_path / "r", play=Play(seed=1))
    (episode,) = recording.episodes
    assert (episode.end, episode.raw_return) == ("truncated", 9.0)
    assert episode.screens[3][3].tolist() == [[0, 200, 0]] * 30
    assert verify(recording)[0].exact


def test_frame_skip_and_limits_are_played_around_the_world(tmp_path: Path) -> None:
    agent = load_agent("random", env=worlds.COLOURED)
    rules = replace(agent.spec.environment, frame_skip=(2, 3), max_frames=7)
    agent = replace(agent, spec=replace(agent.spec, environment=rules))
    recording = record(agent, output=tmp_path / "r", play=Play(seed=3))
    (episode,) = recording.episodes
    assert set(episode.frames_advanced.tolist()) <= {2, 3}
    assert episode.frames_advanced.sum() >= 7 > episode.emulator_frames[-1]
    assert episode.end == "truncated"
    assert verify(recording)[0].exact


def test_what_runs_code_needs_trust(tmp_path: Path) -> None:
    wrapped = {"options": {"wrappers": ["gymnasium.wrappers:TimeAwareObservation"]}}
    with pytest.raises(InvalidArgument, match="--trust-code"):
        resolve(worlds.COLOURED, environment=wrapped)
    with pytest.raises(InvalidArgument, match="--trust-code"):
        load_agent("random", env="tests.worlds:Anything-v0")


def test_actions_that_are_not_discrete_are_named() -> None:
    with pytest.raises(EmulatorError, match="expected discrete ones"):
        resolve("Pendulum-v1")


def test_rewards_that_float32_rounds_replay_exactly(tmp_path: Path) -> None:
    """A reward of 0.946 is stored as float32, and is no difference."""
    agent = planted(tmp_path / "a")
    protocol = resolve(worlds.SHARES, observation={"stack": FRAMES})
    spec = replace(agent.spec, environment=protocol.environment)
    shares = Agent(spec=spec, policy=agent.policy, folder=agent.folder)
    recording = record(shares, output=tmp_path / "r", play=Play(episodes=2, seed=4))
    assert 0 < recording.episodes[0].rewards.max() < 1
    assert all(result.exact for result in verify(recording))


@pytest.mark.slow
def test_minigrid_as_an_unknown_world(tmp_path: Path) -> None:
    pytest.importorskip("minigrid")
    agent = load_agent("random", env="minigrid:MiniGrid-Empty-8x8-v0", trust_code=True)
    assert agent.spec.action.meanings[:3] == ("left", "right", "forward")
    recording = record(agent, output=tmp_path / "r", play=Play(max_steps=20))
    assert verify(recording)[0].exact
    assert verify(open_recording(recording.folder, trust_code=True))[0].exact
    with pytest.raises(InvalidArgument, match="--trust-code"):
        verify(recording.folder)


@pytest.mark.slow
def test_a_minigrid_agent_trained_by_the_script_goes_the_whole_way(tmp_path: Path) -> None:
    """Its zip is imported, plays, replays, is explained, drawn and compared, in colour."""
    pytest.importorskip("minigrid")
    world = "MiniGrid-Empty-5x5-v0"
    script = Path(__file__).parents[2] / "agents" / "train_minigrid.py"
    zipped = tmp_path / "walker.zip"
    size = ["--steps", "256", "--envs", "2", "--world", world]
    subprocess.run([sys.executable, script, "--output", zipped, *size], check=True)
    manifest = tmp_path / "colour.toml"
    manifest.write_text("[observation]\nchannels = 3\n")
    env = f"minigrid:{world}"
    with pytest.raises(InvalidArgument, match="--trust-code"):
        load_agent(zipped, env=env, manifest=manifest)
    folder = import_agent(zipped, tmp_path / "walker", env=env, manifest=manifest, trust_code=True)
    agent = load_agent(folder, trust_code=True)
    assert agent.spec.observation.shape == (3, 40, 40)
    recording = record(agent, output=tmp_path / "r", play=Play(max_steps=12, seed=2))
    assert verify(recording)[0].exact
    maps = explain(recording, compute=CPU)
    assert maps.values.shape[0] == 12
    agentlens.render(recording, maps, tmp_path / "walker.mp4")
    assert (tmp_path / "walker.mp4").stat().st_size > 1000
    hidden = Intervention(hide=("0:20,0:40",), fill="blur", random=False)
    played = intervene(recording, hidden, play=PlayOn(start=2, steps=3, repeats=2), compute=CPU)
    assert {row.arm for row in played.rows} == {"untouched", "0:20,0:40 hidden"}
    watched = watch(agent, tmp_path / "w.mp4", play=Play(max_steps=3), compute=CPU)
    assert watched.steps == 3
    other = random_agent(env, trust_code=True)
    plan = ComparisonPlan(
        map_states=4, moments=1, video_steps=3, states=0, episodes=2, badge_states=3
    )
    compare([agent, other], output=tmp_path / "c", plan=plan, compute=CPU)
    assert (tmp_path / "c" / "report.html").is_file()
