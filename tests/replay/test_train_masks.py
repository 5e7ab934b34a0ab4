"""A mask network learned on a real agent: its gate, its resumption, and whose it is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import agentlens
from agentlens.errors import AlreadyExists, Corrupt, InvalidArgument
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.optimise.training import TrainingPlan, TrainingRow
from agentlens.store.artefacts import DOCUMENT, TENSORS, read_artefact, write_artefact
from agentlens.store.recording import Recording
from agentlens.workflows import train_masks as workflow
from agentlens.workflows.train_masks import train_masks

SHIPPED = Path(__file__).resolve().parents[2] / "agents" / "pong-ppo" / "masks"
QUICK = TrainingPlan(teacher_frames=16, teacher_updates=3, updates=4, batch=8)
METHOD = Lan(steps=3)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("masks") / "recording"
    play = agentlens.Play(episodes=1, seed=5, max_steps=130)
    return agentlens.record(agentlens.load_agent("pong-ppo"), output=folder, play=play)


def test_the_shipped_network_passed_its_gate_and_shows_the_ball(recording: Recording) -> None:
    about = read_artefact(SHIPPED, "mask network").about
    assert about["gate"]["passed"] is True
    maps = agentlens.explain(
        recording, Lan(network=str(SHIPPED)), steps=range(60, 130), output=recording.folder / "m"
    )
    values = maps.values[:, 0, 0]
    assert values.shape == (70, 21, 21)
    assert 0 <= values.min() <= values.max() <= 1
    assert values.mean() < 0.3  # little must stay
    assert np.ptp(values.reshape(70, -1), axis=1).mean() > 0.5  # and that little is clear
    assert "gate passed" in maps.header.targets[0].meaning


def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "_CHECKPOINT_EVERY", 2)
    told: list[TrainingRow] = []
    whole = train_masks(
        [recording], tmp_path / "whole", method=METHOD, plan=QUICK, learning=told.append
    )
    assert tuple(told) == whole.rows

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_masks([recording], tmp_path / "parts", method=METHOD, plan=QUICK, progress=stop)
    resumed = train_masks([recording], tmp_path / "parts", method=METHOD, plan=QUICK, resume=True)
    assert [row.update for row in resumed.rows] == [3, 4]
    assert resumed.last == resumed.rows[-1] == whole.last
    assert (tmp_path / "parts" / TENSORS).read_bytes() == (
        tmp_path / "whole" / TENSORS
    ).read_bytes()
    assert not (tmp_path / "parts" / "unfinished").exists()
    with pytest.raises(AlreadyExists, match="another folder"):
        train_masks([recording], tmp_path / "parts", method=METHOD, plan=QUICK)


def test_a_run_that_stopped_before_its_gate_has_only_the_gate_left(
    recording: Recording, tmp_path: Path
) -> None:
    """The last update is kept whatever its number, and with it what the end tells of it."""
    plan = dataclasses.replace(QUICK, teacher_frames=0, updates=2)

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_masks([recording], tmp_path / "m", method=METHOD, plan=plan, progress=stop)
    resumed = train_masks([recording], tmp_path / "m", method=METHOD, plan=plan, resume=True)
    assert resumed.rows == ()
    assert resumed.last.update == 2
    about = read_artefact(tmp_path / "m", "mask network").about
    assert about["last"] == dataclasses.asdict(resumed.last)
    assert not (tmp_path / "m" / "unfinished").exists()


def test_a_network_is_refused_by_another_agent_and_when_altered(
    recording: Recording, tmp_path: Path
) -> None:
    early = agentlens.record(
        agentlens.load_agent("pong-ppo-early"),
        output=tmp_path / "early",
        play=agentlens.Play(episodes=1, seed=1, max_steps=5),
    )
    with pytest.raises(InvalidArgument, match="other weights"):
        agentlens.explain(early, Lan(network=str(SHIPPED)))
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (DOCUMENT, TENSORS):
        (copy / name).write_bytes((SHIPPED / name).read_bytes())
    data = bytearray((copy / TENSORS).read_bytes())
    data[-1] ^= 1
    (copy / TENSORS).write_bytes(data)
    with pytest.raises(Corrupt, match="digest"):
        agentlens.explain(recording, Lan(network=str(copy)), steps=[3])
    document = json.loads((copy / DOCUMENT).read_text())
    document["purpose"] = "something else"
    (copy / DOCUMENT).write_text(json.dumps(document))
    with pytest.raises(Corrupt):
        read_artefact(copy, "mask network")


def test_other_planes_and_scores_than_it_learned_are_refused(recording: Recording) -> None:
    for method in (
        Lan(network=str(SHIPPED), planes="each"),
        Lan(network=str(SHIPPED), targets=("value_l2",)),
    ):
        with pytest.raises(InvalidArgument, match="learn"):
            agentlens.explain(recording, method, steps=[3])


def test_a_fill_that_is_drawn_is_learned_with_and_measured(
    recording: Recording, tmp_path: Path
) -> None:
    method = Lan(steps=3, fill="cells")
    trained = train_masks([recording], tmp_path / "cells", method=method, plan=QUICK)
    assert trained.gate.rows["perturbation"].kept > 0


def test_what_the_gate_cannot_do_is_refused_before_anything_is_learned(
    recording: Recording, tmp_path: Path
) -> None:
    """Every mask's own noise cannot be followed; only the gate and the teacher would ask."""

    def learned(done: int, total: int) -> None:
        raise AssertionError(f"{done} of {total} updates before the refusal")

    with pytest.raises(InvalidArgument, match="engine 'incremental' cannot be used here"):
        train_masks(
            [recording],
            tmp_path / "noise",
            method=Lan(steps=3, fill="noise:1"),
            plan=dataclasses.replace(QUICK, teacher_frames=0),
            compute=agentlens.Compute(engine="incremental"),
            progress=learned,
        )


def test_the_teacher_hides_by_the_fill_that_is_asked_for(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[Tensor] = []

    def keep(state: object, plan: object, parts: object, shares: Tensor) -> Iterator[float]:
        taught.append(shares)
        return iter(())

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "teach", keep)
    for fill in ("median", "cells", "constant:1"):
        method = Lan(steps=3, fill=fill)
        with pytest.raises(KeyboardInterrupt):
            train_masks([recording], tmp_path / fill[:4], method=method, plan=QUICK, progress=stop)
    median, drawn, white = taught
    assert torch.equal(median, drawn)
    assert float((median - white).abs().max()) > 0.1


def test_maps_of_a_network_that_learned_anew_are_other_maps(
    recording: Recording, tmp_path: Path
) -> None:
    shipped, copy = read_artefact(SHIPPED, "mask network"), tmp_path / "network"
    write_artefact(copy, shipped)
    method, folder = Lan(network=str(copy)), tmp_path / "maps"
    first = agentlens.explain(recording, method, steps=[60], output=folder)
    moved = {name: tensor + np.float32(0.01) for name, tensor in shipped.tensors.items()}
    write_artefact(copy, dataclasses.replace(shipped, tensors=moved), force=True)
    with pytest.raises(AlreadyExists):
        agentlens.explain(recording, method, steps=[60], output=folder)
    second = agentlens.explain(recording, method, steps=[60], output=folder, force=True)
    assert first.header.options["learned"] != second.header.options["learned"]
