"""Methods that are not this package's: from another package, and defined on the spot."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

import agentlens
from agentlens.cli import main
from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.base import (
    METHODS,
    Explainer,
    FrameBatch,
    MapBatch,
    RecordingFacts,
    SaliencyMethod,
)
from agentlens.saliency.configure import folder_name, method_name
from agentlens.saliency.lengths import length
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.targets import TARGETS
from agentlens.spec import GridSpec
from tests.contracts import test_methods as contracts

PLUGIN = '''
from dataclasses import dataclass
from typing import ClassVar
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.methods.perturbation import Perturbation as _Perturbation


@dataclass(frozen=True, kw_only=True)
class WideDiscs(SaliencyMethod):
    """Soft discs twice as wide.

    Notes:
        As perturbation.
    """

    summary: ClassVar[str] = "soft discs twice as wide"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "coarse"

    radius: float = 4.0
    """Half the standard deviation of a disc."""

    def bind(self, policy, compute, facts):
        return _Perturbation(radius=2 * self.radius, stride=4).bind(policy, compute, facts)


METHOD = WideDiscs
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "wide_discs_package.py").write_text(PLUGIN)
    info = tmp_path / "wide_discs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wide-discs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[agentlens.methods]\nwide-discs = wide_discs_package:METHOD\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "wide_discs_package", None)
    del sys.modules["wide_discs_package"]
    return "wide-discs"


def test_another_packages_method_is_found_by_name_and_by_class(plugin: str) -> None:
    assert plugin in METHODS.names()
    cls = METHODS.load(plugin)
    assert agentlens.methods.WideDiscs is cls
    assert method_name(cls()) == plugin
    assert method_name(Perturbation()) == "perturbation"
    del vars(agentlens.methods)["WideDiscs"]


def test_another_packages_method_keeps_what_every_method_promises(plugin: str) -> None:
    contracts.test_every_method_says_what_it_is(plugin)
    contracts.test_maps_have_the_declared_shape_and_are_the_same_in_any_company(plugin)
    contracts.test_a_policy_that_looks_at_nothing_has_a_map_of_zeros(plugin)


def test_another_packages_method_has_flags(plugin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "x", "--method", plugin, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--radius NUMBER" in shown
    assert "Half the standard deviation of a disc." in shown


class Brightness:
    """An explainer of what is bright in the newest frame."""

    planes, forward_passes, engine = ("newest",), 0, "none"

    def __init__(self, policy: Policy) -> None:
        self.targets = (TARGETS["energy"],)
        self.grid = GridSpec.pixels(policy.observation_shape[1:])

    def __call__(self, frames: FrameBatch) -> MapBatch:
        return MapBatch(frames.observations[:, None, -1:], frames.actions)


@dataclass(frozen=True, kw_only=True)
class HowBright(SaliencyMethod):
    """Shows what is bright."""

    summary: ClassVar[str] = "what is bright"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "says nothing of the agent"

    reach: int = length(4)

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        return Brightness(policy)


def test_a_method_defined_on_the_spot_has_its_own_name(tmp_path: Path) -> None:
    recording = agentlens.record(
        "pong-ppo", output=tmp_path / "r", play=agentlens.Play(max_steps=3)
    )
    maps = agentlens.explain(recording, HowBright(), compute=Compute(device="cpu"))
    assert maps.header.method == "how-bright"
    assert maps.folder == recording.folder / "maps" / "how-bright"
    newest = torch.from_numpy(recording.episodes[0].observations[0:3][:, -1])
    assert torch.equal(torch.from_numpy(maps.values[:, 0, 0].copy()), newest)
    other = agentlens.explain(recording, HowBright(reach=2), steps=[1])
    assert other.folder is not None
    assert other.folder.name.startswith("how-bright-reach-2-")
    with pytest.raises(InvalidArgument, match="reach: expected int"):
        agentlens.explain(recording, HowBright(reach="x"))


def test_a_class_with_another_methods_name_is_refused() -> None:
    impostor = dataclasses.make_dataclass(
        "Perturbation", [], bases=(HowBright,), frozen=True, kw_only=True
    )
    with pytest.raises(InvalidArgument, match="give the class another one"):
        method_name(impostor())


def test_folders_are_named_by_what_differs() -> None:
    assert folder_name(Perturbation()) == "perturbation"
    name = folder_name(Perturbation(radius=3.0, reference="constant:0.5", planes="each"))
    assert name.startswith("perturbation-reference-constant-0.5-planes-each-radius-3.0-")
    assert folder_name(Perturbation(action="LEFT")) != folder_name(Perturbation(action="RIGHT"))
    blurs = [folder_name(Perturbation(reference=text)) for text in ("blur", "blur:3.0")]
    assert blurs[0] == blurs[1]
