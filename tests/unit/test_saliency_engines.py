"""The reference and the batched engine: by hand, against each other, and when memory runs out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlens.errors import DeviceError, InvalidArgument, UnknownName
from agentlens.policies.architectures import architecture
from agentlens.policies.base import PolicyOutput
from agentlens.policies.networks import build_policy
from agentlens.saliency.engine import batched, reference
from agentlens.saliency.engine.base import MaskedPlanes
from agentlens.saliency.engine.batched import BatchedEngine
from agentlens.saliency.engine.choose import choose_engine
from agentlens.saliency.engine.reference import ReferenceEngine
from agentlens.saliency.masks import gaussian_masks
from agentlens.spec import ActionSpec, ObservationSpec
from tests.tiny import LinearPolicy, constant_policy

BUDGET = {"memory_bytes": 1 << 30, "threads": 0}


def small_policy(recurrent: bool = False) -> torch.nn.Module:
    observation = ObservationSpec(
        pool="none",
        grayscale="cv2",
        resize=(40, 40),
        interpolation="cv2-area",
        stack=1 if recurrent else 4,
    )
    actions = ActionSpec(meanings=("NOOP", "RIGHT", "LEFT"), selection="sample")
    return build_policy(
        architecture("baby-a3c" if recurrent else "a3c-ff", 3), observation, actions
    )


def discs(size: int = 40, stride: int = 8) -> torch.Tensor:
    return torch.from_numpy(gaussian_masks((size, size), 3.0, stride).masks)


def test_four_pixels_by_hand() -> None:
    weights = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]], [[[0.0, 0.0], [0.0, 1.0]]]])
    policy = LinearPolicy(weights, None, torch.tensor([[[1.0, 1.0], [1.0, 1.0]]]))
    observation = torch.tensor([[[[1.0, 1.0], [1.0, 1.0]]]])
    masks = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.5, 1.0]]])
    perturbation = MaskedPlanes(masks=masks, selections=((0,),))
    for build in (reference.build, batched.build):
        base, perturbed, halvings = build(policy, perturbation, **BUDGET)(
            observation, torch.zeros_like(observation), None
        )
        assert base.preferences.tolist() == [[10.0, 1.0]]
        assert base.value.tolist() == [4.0]
        # the first mask hides pixel 1; the second half of pixel 3 and all of pixel 4
        assert perturbed.preferences.tolist() == [[[[9.0, 1.0], [4.5, 0.0]]]]
        assert perturbed.value.tolist() == [[[3.0, 2.5]]]
        assert halvings == 0


def test_each_selection_perturbs_its_own_planes() -> None:
    weights = torch.tensor([[[[1.0]], [[10.0]]]])
    perturbation = MaskedPlanes(masks=torch.ones(1, 1, 1), selections=((0,), (1,), (0, 1)))
    for build in (reference.build, batched.build):
        outputs = build(LinearPolicy(weights, kind="q_values"), perturbation, **BUDGET)(
            torch.ones(2, 2, 1, 1), torch.zeros(2, 2, 1, 1), None
        )
        assert outputs.perturbed.preferences.tolist() == [[[[10.0]], [[1.0]], [[0.0]]]] * 2
        assert outputs.perturbed.kind == "q_values"
        assert outputs.perturbed.value is None


def test_every_frame_keeps_its_own_state() -> None:
    policy = LinearPolicy(torch.zeros(2, 1, 3, 3), memory=torch.tensor([1.0, 100.0]))
    perturbation = MaskedPlanes(masks=torch.ones(2, 3, 3), selections=((0,),))
    states = torch.tensor([[1.0], [2.0], [3.0]])
    for build in (reference.build, batched.build):
        outputs = build(policy, perturbation, **BUDGET)(
            torch.rand(3, 1, 3, 3), torch.rand(3, 1, 3, 3), states
        )
        assert outputs.base.preferences.tolist() == [[1, 100], [2, 200], [3, 300]]
        assert outputs.perturbed.preferences[2, 0].tolist() == [[3, 300], [3, 300]]


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("rows", [8, 16, 300])
def test_batches_of_any_size_give_the_numbers_of_the_oracle(recurrent: bool, rows: int) -> None:
    policy = small_policy(recurrent)
    stack = policy.observation_shape[0]
    selections = tuple((k,) for k in range(stack))
    perturbation = MaskedPlanes(masks=discs(), selections=selections)
    generator = torch.Generator().manual_seed(0)
    observations = torch.rand(2, stack, 40, 40, generator=generator)
    references = torch.rand(2, stack, 40, 40, generator=generator)
    states = torch.rand(2, 256, generator=generator) if recurrent else None
    found = BatchedEngine(policy, perturbation, rows=rows)(observations, references, states)
    oracle = ReferenceEngine(small_policy(recurrent).double(), perturbation)(
        observations, references, states
    )
    changed, exact = found.perturbed, oracle.perturbed
    assert changed.kind == exact.kind
    torch.testing.assert_close(changed.preferences.double(), exact.preferences, rtol=0, atol=2e-6)
    torch.testing.assert_close(changed.value.double(), exact.value, rtol=0, atol=2e-6)
    torch.testing.assert_close(found.base.value.double(), oracle.base.value, rtol=0, atol=2e-6)


def test_a_frame_gives_the_same_bits_in_any_company_and_twice() -> None:
    policy, perturbation = small_policy(), MaskedPlanes(masks=discs(), selections=((0, 1, 2, 3),))
    engine = batched.build(policy, perturbation, **BUDGET)
    observations, references = torch.rand(5, 4, 40, 40), torch.rand(5, 4, 40, 40)
    together = engine(observations, references, None)
    again = engine(observations, references, None)
    assert torch.equal(together.perturbed.preferences, again.perturbed.preferences)
    for index in range(5):
        alone = engine(observations[index : index + 1], references[index : index + 1], None)
        assert torch.equal(alone.perturbed.preferences[0], together.perturbed.preferences[index])
        assert torch.equal(alone.base.preferences[0], together.base.preferences[index])


@pytest.mark.parametrize("rows", [2, 8, 24, 64, 72])
def test_a_reference_equal_to_the_observation_changes_nothing(rows: int) -> None:
    policy, perturbation = small_policy(), MaskedPlanes(masks=discs(), selections=((0,), (1,)))
    observations = torch.rand(2, 4, 40, 40)
    engine = BatchedEngine(policy, perturbation, rows=rows)
    base, perturbed, _ = engine(observations, observations.clone(), None)
    assert torch.equal(
        perturbed.preferences, base.preferences[:, None, None].expand_as(perturbed.preferences)
    )
    assert torch.equal(perturbed.value, base.value[:, None, None].expand_as(perturbed.value))


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(3, 9),
    stack=st.integers(1, 3),
    blind=st.integers(0, 2),
    rows=st.sampled_from([8, 16, 40]),
    seed=st.integers(0, 10_000),
)
def test_what_the_policy_ignores_changes_nothing(
    height: int, width: int, stack: int, blind: int, rows: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(3, stack, height, width, generator=generator)
    seen = torch.rand(height, width, generator=generator) < 0.3 * blind
    policy = LinearPolicy(weights * seen, torch.randn(3, generator=generator))
    masks = torch.eye(height * width).reshape(-1, height, width)
    observation = torch.rand(1, stack, height, width, generator=generator)
    perturbation = MaskedPlanes(masks=masks, selections=(tuple(range(stack)),))
    engine = BatchedEngine(policy, perturbation, rows=rows)
    base, perturbed, _ = engine(observation, torch.zeros_like(observation), None)
    moved = (perturbed.preferences[0, 0] != base.preferences[0]).any(-1).reshape(height, width)
    assert not (moved & ~seen).any()


class ManyFrames(BatchedEngine):
    """The layout of a GPU, with several frames a batch, on a CPU."""

    @property
    def _units_at_once(self) -> int:
        return max(1, self.rows // (len(self._masks) + 8))


@pytest.mark.parametrize("fail_at", [-1, 0, 1, 2])
def test_many_frames_in_a_batch_give_the_same_numbers(fail_at: int) -> None:
    masks = torch.eye(81).reshape(-1, 9, 9)
    perturbation = MaskedPlanes(masks=masks, selections=((0,), (0,)))
    observations, references = torch.rand(5, 1, 9, 9), torch.rand(5, 1, 9, 9)
    one = BatchedEngine(forgetful(), perturbation, rows=88)(observations, references, None)
    policy = forgetful()
    policy.fail_at = fail_at
    many = ManyFrames(policy, perturbation, rows=300)(observations, references, None)
    assert many.halvings == (fail_at >= 0)
    torch.testing.assert_close(
        many.perturbed.preferences, one.perturbed.preferences, rtol=0, atol=1e-5
    )
    torch.testing.assert_close(many.base.preferences, one.base.preferences, rtol=0, atol=1e-5)


class Forgetful(LinearPolicy):
    """Runs out of memory above a number of rows, and once at a chosen call."""

    most, fail_at, calls = 10**9, -1, 0
    error: Exception = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    def forward(self, observation: torch.Tensor, state: torch.Tensor | None = None) -> PolicyOutput:
        self.calls += 1
        if len(observation) > self.most or self.calls - 1 == self.fail_at:
            raise self.error
        return super().forward(observation, state)


def forgetful() -> Forgetful:
    return Forgetful(torch.randn(3, 1, 9, 9, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("call", range(1, 8))
@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_running_out_of_memory_at_any_chunk_leaves_the_same_map(
    call: int, error: Exception
) -> None:
    masks = torch.eye(81).reshape(-1, 9, 9)
    perturbation = MaskedPlanes(masks=masks, selections=((0,),))
    observations, references = torch.rand(3, 1, 9, 9), torch.rand(3, 1, 9, 9)
    calm = BatchedEngine(forgetful(), perturbation, rows=40)(observations, references, None)
    policy = forgetful()
    policy.fail_at, policy.error = call, error
    found = BatchedEngine(policy, perturbation, rows=40)(observations, references, None)
    assert found.halvings == 1
    torch.testing.assert_close(
        found.perturbed.preferences, calm.perturbed.preferences, rtol=0, atol=1e-5
    )
    assert not torch.isnan(found.perturbed.preferences).any()


def test_memory_that_never_suffices_ends_in_a_clear_error() -> None:
    policy = forgetful()
    policy.most = 1
    perturbation = MaskedPlanes(masks=torch.ones(50, 9, 9), selections=((0,),))
    with pytest.raises(DeviceError, match="single mask"):
        batched.build(policy, perturbation, **BUDGET)(
            torch.rand(1, 1, 9, 9), torch.rand(1, 1, 9, 9), None
        )


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    policy = forgetful()
    policy.fail_at, policy.error = 1, RuntimeError("shapes cannot be multiplied")
    perturbation = MaskedPlanes(masks=torch.ones(50, 9, 9), selections=((0,),))
    with pytest.raises(RuntimeError, match="multiplied"):
        BatchedEngine(policy, perturbation, rows=8)(
            torch.rand(1, 1, 9, 9), torch.rand(1, 1, 9, 9), None
        )


def test_the_batch_fits_the_budget() -> None:
    policy = small_policy()
    row = batched.row_bytes(policy)
    assert row > 4 * 40 * 40 * 4
    assert batched.batch_rows(policy, 10_000, 40 * row) <= 10
    assert batched.batch_rows(policy, 10_000, 1) == 8
    assert batched.batch_rows(policy, 1, 1 << 30) >= 2


def test_the_choice_of_engine_is_explained() -> None:
    build, name, reason = choose_engine("auto", constant_policy())
    assert (build, name) == (batched.build, "batched")
    assert "convolution" in reason
    assert choose_engine("reference", constant_policy())[0] is reference.build
    with pytest.raises(InvalidArgument, match="convolution"):
        choose_engine("incremental", constant_policy())
    with pytest.raises(UnknownName, match="batched"):
        choose_engine("batch", constant_policy())
