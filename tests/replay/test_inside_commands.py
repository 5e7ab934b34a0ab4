"""The commands that look inside an agent, end to end on a tiny one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from agentlens.cli import main
from agentlens.drawing.film import Film
from agentlens.drawing.panels.numbers import Numbers
from agentlens.drawing.strips import MARGIN, STRIP
from agentlens.envs.protocols import resolve
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.network.concepts import Embedding, EmbeddingPlan
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.importing import save_agent
from agentlens.policies.networks import build_policy
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.spec import ActionSpec, AgentSpec
from agentlens.store.artefacts import read_artefact
from agentlens.store.recording import open_recording
from agentlens.store.tables import read_table
from tests.rollout_agents import MEANINGS

NETWORK = NetworkSpec(
    chains=(
        ChainSpec(
            name="torso",
            layers=(
                LayerSpec(kind="conv", out=6, kernel=8, stride=4),
                LayerSpec(kind="relu"),
                LayerSpec(kind="flatten"),
                LayerSpec(kind="linear", out=12),
                LayerSpec(kind="relu"),
            ),
        ),
        ChainSpec(
            name="actor",
            reads="torso",
            layers=(LayerSpec(kind="linear", out=6),),
            output="logits",
        ),
    )
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """180 decisions of an untrained agent in Pong."""
    folder = tmp_path_factory.mktemp("inside")
    protocol = resolve("ALE/Pong-v5", preset="ale-vector")
    spec = AgentSpec(
        name="tiny",
        format="safetensors",
        environment=protocol.environment,
        observation=protocol.observation,
        action=ActionSpec(meanings=MEANINGS["pong"], selection="sample"),
        network=NETWORK,
    )
    policy = build_policy(NETWORK, spec.observation, spec.action, seed=3)
    save_agent(Agent(spec=spec, policy=policy), folder / "agent")
    agent = load_agent(folder / "agent")
    record(agent, output=folder / "recording", play=Play(seed=1, max_steps=180))
    return folder / "recording"


def run(*arguments: str | Path) -> None:
    # threads that wait for each other spin: one is faster where tests share the cores
    assert main([*map(str, arguments), "--threads", "1"]) == 0


def test_dissect_names_every_unit(
    recording: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run("dissect", recording, "--places", "torso.1", "torso.4", "--output", tmp_path / "units")
    table, about = read_table(tmp_path / "units")
    assert len(table["unit"]) == 6 + 12
    assert set(table["place"]) == {"torso.1", "torso.4"}
    assert (table["kl_when_silenced"] >= 0).all()
    assert (table["kl_carried"] >= 0).all()
    assert np.isfinite(table["soft_wpmi"][table["place"] == "torso.4"]).all()
    page = (tmp_path / "units.html").read_text()
    assert page.count("data:image/png") == 2 * 4
    assert "torso.1.unit." in page
    assert about["twin_seed"]
    assert "untrained" in capsys.readouterr().out


def test_named_units_that_fire_are_told_in_sentences(
    recording: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run("dissect", recording, "--places", "torso.1", "torso.4")
    small = ("--steps", "60:80", "--no-shares", "--patches", "2", "--output", tmp_path / "words")
    run("describe", recording, "--units", *small)
    units, _ = read_table(tmp_path / "words" / "units")
    sentences, _ = read_table(tmp_path / "words" / "sentences")
    dissected, _ = read_table(recording / "units")
    names = {f"{p}.unit.{u}" for p, u in zip(dissected["place"], dissected["unit"], strict=True)}
    assert set(units["unit"]) <= names
    telling = {
        int(step)
        for step, line in zip(sentences["step"], sentences["sentence"], strict=True)
        if "Units for" in line
    }
    assert telling == set(units["step"].tolist())
    assert "fires at steps" in capsys.readouterr().out


def test_an_edit_is_measured_on_steps(
    recording: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    units = ("--units", "torso.4.unit.1", "torso.4.unit.5")
    for more in ((), ("--operation", "keep"), ("--operation", "patch", "--step", "7")):
        run("edit", recording, *units, *more, "--output", tmp_path / "edit")
        table, about = read_table(tmp_path / "edit")
        assert about["plan"]["operation"] == (more[1] if more else "ablate")
        assert about["plan"]["step"] == (7 if "--step" in more else None)
        assert (table["arm"] == "random").sum() == 20
        assert table["kl"][table["arm"] == "sham"].tolist() == [0.0]
        assert "sham" in capsys.readouterr().out
    assert main(["edit", str(recording), "--units", "torso.4", "--operation", "steer"]) != 0
    assert "an attribute goes with" in capsys.readouterr().err


def test_features_and_concepts_are_written(
    recording: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small = ("--updates", "20", "--output", tmp_path / "features")
    run("features", recording, "--place", "torso.4", "--active", "2", "--features", "8", *small)
    assert len(read_table(tmp_path / "features")[0]["feature"]) == 8
    small = ("--updates", "20", "--output", tmp_path / "concepts")
    run("concepts", recording, "--place", "torso.4", "--k", "2", *small)
    assert read_artefact(tmp_path / "concepts", "embedding").about["place"] == "torso.4"
    assert "principal components" in capsys.readouterr().out


def test_the_drawn_curve_is_what_concepts_computed(recording: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(
        recording, tmp_path / "copy", ignore=shutil.ignore_patterns("numbers", "*.parquet")
    )
    small = ("--updates", "20", "--output", tmp_path / "concepts")
    run("concepts", copied, "--place", "torso.4", "--k", "2", *small)
    opened = open_recording(copied)
    artefact = read_artefact(tmp_path / "concepts", "embedding")
    agent, observations = load_agent(recording.parent / "agent"), opened.episodes[0].observations
    model = Embedding(12, 6, EmbeddingPlan(**artefact.about["plan"]))
    model.load_state_dict({name: torch.from_numpy(v) for name, v in artefact.tensors.items()})
    torso = nn.Sequential(*cast(Any, agent.policy).chains[0])
    with torch.no_grad():
        layer = torso(torch.from_numpy(observations[:])).half().float()  # as layers are read
        computed = model.embed(layer).numpy()
    film = Film(opened, None)
    assert [curve.name[:9] for curve in film.scene.numbers] == ["torso.4 0", "torso.4 1"]
    for curve, numbers in zip(film.scene.numbers, computed.T, strict=True):
        np.testing.assert_allclose(curve.values, numbers, atol=1e-5)
    (panel,) = Numbers.for_scene(film.scene, 640)
    (_, height), plot = panel.size, (640 - 2 * MARGIN - 150 - 64, 40)
    assert height == 2 * (MARGIN + STRIP)
    for frame in (0, 45, 100, 179):
        picture = panel.draw(film.context(frame))
        x = MARGIN + 150 + round(frame / 179 * (plot[0] - 1))
        for strip, numbers in enumerate(computed.T):
            part = (numbers[frame] - numbers.min()) / (numbers.max() - numbers.min())
            y = MARGIN + 48 * strip + round((1 - float(part)) * (plot[1] - 1))
            beside_the_cursor = picture[48 * strip : 48 * (strip + 1) + 8, x + 2]
            dot = (beside_the_cursor == film.scene.theme.accents["control"]).all(-1)
            np.testing.assert_array_equal(np.flatnonzero(dot) + 48 * strip, np.arange(y - 2, y + 3))


EXCITE = ("excite", "--unit", "torso.1.unit.3", "--updates", "1", "--output", "x.html")
CONCEPTS = ("concepts", "--place", "torso.4", "--k", "2", "--updates", "1", "--output", "x")
OUTPUTS = {
    EXCITE: ("x.html", "x.png", "x.parquet", "x.csv", "numbers/excite-torso.1.unit.3.csv"),
    CONCEPTS: ("x/artefact.json", "x.parquet", "numbers/concepts-torso.4.parquet"),
}


@pytest.mark.parametrize(
    ("command", "taken"), [(command, name) for command, names in OUTPUTS.items() for name in names]
)
def test_nothing_is_replaced_unasked(
    recording: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    taken: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    copied = shutil.copytree(recording, "recording", ignore=shutil.ignore_patterns("numbers"))
    file = Path(copied, taken) if taken.startswith("numbers") else Path(taken)
    file.parent.mkdir(exist_ok=True)
    file.write_text("of an earlier run")
    before = sorted(Path().rglob("*"))
    assert main([command[0], str(copied), *command[1:]]) != 0
    assert "is there" in (message := capsys.readouterr().err), message
    assert file.read_text() == "of an earlier run"
    assert sorted(Path().rglob("*")) == before, "refused before anything is written"


def test_a_student_speaks_with_one_unit_of_a_block(
    recording: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small = ("--updates", "2", "--batch", "4", "--output", tmp_path / "student")
    run("student", recording, "--kind", "lwta", "--block", "8", *small)
    table, about = read_table(tmp_path / "student")
    assert table["kind"].tolist() == ["lwta", "relu"]
    assert table["active"][0] == 1 / 8
    assert about["returns"] is None
    assert "0.1250" in capsys.readouterr().out


def test_a_map_of_states_is_one_page(
    recording: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "map.html"
    run("embed", recording, "--place", "torso.4", "--states", "30", "--output", page)
    data = page.read_text().split('id="states">')[1].split("</script>")[0]
    states = json.loads(data)
    assert len(states["points"]) == len(states["frames"]) == 30
    assert "ball row" in {colouring["name"] for colouring in states["colourings"]}
    assert page.with_suffix(".png").is_file()
    assert main(["embed", str(recording), "--place", "torso.4", "--output", str(page)]) != 0
    assert "already" in capsys.readouterr().err


def test_what_excites_a_unit_is_a_page_and_a_curve(
    recording: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "unit.html"
    small = ("--updates", "10", "--output", page)
    run("excite", recording, "--unit", "torso.1.unit.2", *small)
    table, _ = read_table(tmp_path / "unit")
    assert table["role"].tolist() == ["unit", "random unit", "untrained"]
    assert (table["from_background"] >= table["background"]).all()
    curve, _ = read_table(recording / "numbers" / "excite-torso.1.unit.2")
    assert len(curve["torso.1.unit.2"]) == 180
    full = curve["torso.1.unit.2"][3:]  # before, the frame stack is not full
    assert full.max() == pytest.approx(table["strongest_recorded"][0])
    text = page.read_text()
    assert "data:image/png" in text
    assert "<script" not in text
    assert page.with_suffix(".png").is_file()
    assert "in its field" in capsys.readouterr().out
    run(
        "excite",
        recording,
        "--unit",
        "torso.4.unit.2",
        "--updates",
        "5",
        "--output",
        page,
        "--force",
    )
    numbers = {curve.name for curve in Film(open_recording(recording), None).scene.numbers}
    assert numbers >= {"energy of torso.1", "torso.1.unit.2", "energy of torso.4", "torso.4.unit.2"}
    assert main(["excite", str(recording), "--unit", "torso.4", "--output", "x.html"]) != 0
    assert "expected one of its units" in capsys.readouterr().err
