"""Explaining a real recording: checks before, resuming, refusals."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from agentlens.compute import Compute
from agentlens.errors import (
    AlreadyExists,
    DeviceError,
    InvalidArgument,
    NotFinite,
    OutputMismatch,
    UnknownName,
)
from agentlens.policies.agent import Agent, load_agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import FrameBatch, MapBatch
from agentlens.saliency.explain import estimate_seconds, explain
from agentlens.saliency.methods.greydanus import Greydanus
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.perturb import PerturbationExplainer
from agentlens.store.recording import Recording, open_recording

COARSE = Perturbation(stride=20)
ONE = Compute(threads=1)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain") / "pong"
    record(load_agent("pong-ppo"), output=folder, play=Play(episodes=2, seed=0, max_steps=30))
    return folder


@pytest.fixture
def recording(recorded: Path, tmp_path: Path) -> Recording:
    return open_recording(shutil.copytree(recorded, tmp_path / "copy"))


def test_maps_say_what_they_are(recording: Recording) -> None:
    seen: list[tuple[int, int]] = []
    maps = explain(
        recording,
        COARSE,
        steps={1: slice(3, 9)},
        progress=lambda d, t: seen.append((d, t)),
        compute=ONE,
    )
    assert maps.folder is not None
    assert maps.folder.parent == recording.folder / "maps"
    assert re.fullmatch(r"perturbation-stride-20-[0-9a-f]{6}", maps.folder.name)
    assert maps.targets == ("kl", "value_l2", "energy")
    assert maps.values.shape == (6, 3, 1, 4, 4)
    assert maps.grid.rows == (10.0, 30.0, 50.0, 70.0)
    assert maps.steps.tolist() == [3, 4, 5, 6, 7, 8]
    assert set(maps.episodes) == {1}
    assert (maps.explained_actions == recording.episodes[1].actions[3:9]).all()
    assert maps.header.forward_passes == 17
    assert maps.header.options["radius"] == 5.0
    assert maps.header.action == "taken"
    assert seen[-1] == (6, 6)
    assert np.isfinite(maps.values).all()
    assert (maps.values.max((0, 2, 3, 4)) > 0).all()
    for info, highest in zip(maps.header.targets, maps.values.max((0, 2, 3, 4)), strict=True):
        assert 0 <= info.noise_floor < 1e-3 * highest


def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(recording: Recording) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done > 8:
            raise Stop

    whole = explain(
        recording, COARSE, output=recording.folder / "whole", steps={0: slice(None)}, compute=ONE
    )
    with pytest.raises(Stop):
        explain(
            recording,
            COARSE,
            output=recording.folder / "parts",
            steps={0: slice(None)},
            progress=stop,
            compute=ONE,
        )
    explain(
        recording,
        COARSE,
        output=recording.folder / "parts",
        steps={0: [20, 3, 21]},
        compute=ONE,
    )
    parts = explain(
        recording, COARSE, output=recording.folder / "parts", steps={0: slice(None)}, compute=ONE
    )
    assert (parts.steps == whole.steps).all()
    assert parts.values.tobytes() == whole.values.tobytes()


def test_engines_agree_within_the_stored_noise_floor(recording: Recording) -> None:
    found = {
        engine: explain(
            recording,
            Perturbation(stride=20, targets=("kl", "value_l2", "sarfa")),
            steps={0: [10, 25]},
            compute=Compute(threads=1, engine=engine),
            output=recording.folder / engine,
        )
        for engine in ("reference", "batched", "incremental")
    }
    expected = found["reference"].values
    for maps in found.values():
        for target, info in enumerate(maps.header.targets):
            one, other = maps.values[:, target], expected[:, target]
            allowed = 1e-5 * np.abs(other).max((1, 2, 3)) + 2 * max(info.noise_floor, 1e-9)
            assert (np.abs(one - other).max((1, 2, 3)) <= allowed).all(), info.name


def test_outputs_that_are_not_the_recorded_ones_stop_everything(recording: Recording) -> None:
    agent = load_agent("pong-ppo")
    other = Agent(spec=agent.spec, policy=agent.policy, folder=None).to("cpu")
    next(other.policy.parameters()).data.mul_(1.01)
    with pytest.raises(OutputMismatch, match=r"episode 0, step \d+: .* off what was recorded"):
        explain(recording, COARSE, agent=other, compute=ONE)
    assert not (recording.folder / "maps").exists()


def test_weights_that_are_not_numbers_are_found_before_any_map(recording: Recording) -> None:
    agent = load_agent("pong-ppo").to("cpu")
    next(agent.policy.parameters()).data[0] = torch.nan
    with pytest.raises(NotFinite, match="episode 0, step 0"):
        explain(recording, COARSE, agent=agent, compute=ONE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": [3, 30]}, "step 30: expected 0 to 29"),
        ({"steps": [-1]}, "step -1"),
        ({"steps": slice(40, 50)}, "of the steps from 40 to before 50 there is none in 2 episodes"),
        ({"steps": []}, "no steps"),
        ({"steps": {2: slice(None)}}, "episode 2: the recording has 0, 1"),
        ({"method": Perturbation(stride=85)}, "stride 85"),
        ({"method": Perturbation(planes="first")}, "'all', 'newest', 'each'"),
        ({"method": Perturbation(action="HOP")}, "action 'HOP'"),
        ({"method": Perturbation(targets=("klm",))}, "did you mean 'kl'"),
        ({"method": Perturbation(targets=("gap",))}, "Q-values"),
        ({"method": Perturbation(targets=())}, "empty"),
        ({"method": "perturbatoin"}, "perturbation"),
        ({"method": Perturbation}, "expected a name, or a method"),
        ({"compute": Compute(device="cpu:x")}, "device"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    recording: Recording, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        explain(recording, **options)
    assert not (recording.folder / "maps").exists()


def test_maps_of_other_options_are_not_mixed(recording: Recording) -> None:
    folder = recording.folder / "mine"
    explain(recording, COARSE, steps=[1], compute=ONE, output=folder)
    other = Perturbation(stride=20, radius=4.0)
    with pytest.raises(AlreadyExists, match="options"):
        explain(recording, other, steps=[2], compute=ONE, output=folder)
    maps = explain(recording, other, steps=[2], force=True, compute=ONE, output=folder)
    assert maps.steps.tolist() == [2, 2]


def test_other_options_go_to_another_folder_and_finished_maps_stay(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = explain(recording, COARSE, steps=[1, 2], compute=ONE)
    other = explain(recording, Perturbation(stride=20, radius=4.0), steps=[1, 2], compute=ONE)
    assert first.folder != other.folder
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(PerturbationExplainer, "__call__", None)
    again = explain(
        recording,
        COARSE,
        steps={1: [2]},
        compute=ONE,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 1)]
    assert again.values.tobytes() == first.values.tobytes()


def test_what_is_asked_about_an_action_is_explained(recording: Recording) -> None:
    left = explain(recording, Perturbation(stride=20, action="LEFT"), steps=[4], compute=ONE)
    right = explain(recording, Perturbation(stride=20, action="RIGHT"), steps=[4], compute=ONE)
    assert left.targets == ("log_probability", "value_l2", "energy")
    assert not np.array_equal(left.values[:, 0], right.values[:, 0])
    assert [target.of_action for target in left.header.targets] == [True, False, False]
    against = Perturbation(stride=20, action="LEFT", contrast="NOOP")
    contrast = explain(recording, against, steps=[4], compute=ONE)
    assert contrast.targets == ("contrast", "value_l2", "energy")
    assert (contrast.header.action, contrast.header.contrast) == ("LEFT", "NOOP")
    with pytest.raises(InvalidArgument, match="action LEFT plays no part in kl"):
        explain(recording, Perturbation(action="LEFT", targets=("kl",)), steps=[4])
    with pytest.raises(InvalidArgument, match="contrast NOOP plays no part"):
        explain(recording, Perturbation(contrast="NOOP", targets=("kl",)), steps=[4])


@pytest.mark.parametrize("reference", ["median", "mean", "previous", "noise:1", "constant:0.2"])
def test_references_that_need_the_recording(recording: Recording, reference: str) -> None:
    method = Perturbation(stride=20, reference=reference)
    maps = explain(recording, method, steps={0: [0, 5]}, compute=ONE)
    assert np.isfinite(maps.values).all()
    assert maps.values[1].max() > 0
    if reference == "previous":
        assert maps.values[0].max() == 0.0


def test_an_action_by_name_and_each_plane(recording: Recording) -> None:
    method = dataclasses.replace(
        Perturbation(stride=20),
        targets=("log_probability", "contrast"),
        planes="each",
        action="LEFT",
        contrast="RIGHT",
    )
    maps = explain(recording, method, steps={0: [4]})
    assert maps.planes == ("plane 0", "plane 1", "plane 2", "plane 3")
    assert maps.explained_actions.tolist() == [3]
    assert maps.header.action == "LEFT"
    with pytest.raises(InvalidArgument, match="same"):
        explain(recording, Perturbation(action="LEFT", contrast="LEFT"))


def test_the_estimate_is_a_number_of_seconds(recording: Recording) -> None:
    one = estimate_seconds(recording, COARSE, steps={0: [4]}, compute=ONE)
    assert 0 < one < 60
    with pytest.raises(UnknownName):
        estimate_seconds(recording, "perturb")


def test_actions_that_do_the_same_can_be_merged(recording: Recording) -> None:
    apart = Perturbation(stride=20, targets=("kl", "log_probability"))
    options = {"steps": {0: [4, 9]}, "compute": ONE}
    plain = explain(recording, apart, output=recording.folder / "plain", **options)
    together = dataclasses.replace(apart, merge_actions=True)
    merged = explain(recording, together, output=recording.folder / "merged", **options)
    assert merged.header.options["merge_actions"] is True
    # merging actions cannot add information: KL of the merged policies is never larger
    assert (merged.values[:, 0] <= plain.values[:, 0] * (1 + 1e-5) + 1e-9).all()
    assert not np.allclose(merged.values[:, 1], plain.values[:, 1])


def test_a_lost_device_keeps_the_maps_before_and_the_rest_follows(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = explain(
        recording, COARSE, output=recording.folder / "whole", steps={0: slice(None)}, compute=ONE
    )
    call, calls = PerturbationExplainer.__call__, 0

    def lost(self: PerturbationExplainer, frames: FrameBatch) -> MapBatch:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return call(self, frames)

    with monkeypatch.context() as patch:
        patch.setattr(PerturbationExplainer, "__call__", lost)
        with pytest.raises(DeviceError, match=r"episode 0, step .* to go on"):
            explain(recording, COARSE, steps={0: slice(None)}, compute=ONE)
    again = explain(recording, COARSE, steps={0: slice(None)}, compute=ONE)
    assert again.values.tobytes() == whole.values.tobytes()


def test_a_map_that_is_not_finite_stops_with_step_and_target(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = PerturbationExplainer.__call__

    def broken(self: PerturbationExplainer, frames: FrameBatch) -> MapBatch:
        maps = call(self, frames)
        values = maps.values.clone()
        values[torch.from_numpy(frames.steps == 5), 1] = torch.inf
        return maps._replace(values=values)

    monkeypatch.setattr(PerturbationExplainer, "__call__", broken)
    with pytest.raises(NotFinite, match="step 5: the map of 'value_l2'"):
        explain(recording, COARSE, steps={0: slice(0, 8)}, compute=ONE)


def test_options_of_single_methods_reach_them_and_the_header(recording: Recording) -> None:
    several = Perturbation(radius=(3.0, 5.0), targets=("kl",), stride=20)
    radii = explain(recording, several, steps=[4], compute=ONE)
    assert radii.targets == ("kl@3", "kl@5")
    assert radii.header.options["radius"] == [3.0, 5.0]
    published = Greydanus(as_published=True, preview=True, stride=10)
    maps = explain(recording, published, steps=[4])
    assert maps.header.options["preview"] is True
    assert maps.header.options["as_published"] is True
    assert maps.grid.shape == (5, 5)


def test_a_reference_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownName, match="blur"):
        Perturbation(reference="blurr")
