"""The incremental engine: plans by hand, exact zeros, memory, workers, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agentlens.errors import DeviceError, InvalidArgument, ShapeError
from agentlens.policies.base import Policy, Trunk, TrunkStep, plain_trunk
from agentlens.saliency.engine import head, incremental, propagate
from agentlens.saliency.engine.base import MaskedPlanes, PerturbedOutputs
from agentlens.saliency.engine.plan import Windows, plan_chunk, read_windows
from agentlens.saliency.engine.workers import spread
from tests.planted import SmallPolicy, baby, nature

GIGABYTE = 1 << 30


def discs(shape: tuple[int, int], stride: int, reach: int) -> Tensor:
    """Cones of ``reach`` pixels on a grid, exactly 0 beyond: float32 [M, H, W]."""
    height, width = shape
    rows, columns = np.mgrid[:height, :width]
    found = [
        np.clip(1 - np.hypot(rows - y, columns - x) / reach, 0, None)
        for y in range(stride // 2, height, stride)
        for x in range(stride // 2, width, stride)
    ]
    return torch.from_numpy(np.stack(found).astype(np.float32))


def frames(policy: Policy, count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor | None]:
    """Random observations, references and recurrent states."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, *policy.observation_shape)
    states = None
    if policy.state_size:
        states = torch.randn(count, policy.state_size, generator=generator)
    return torch.rand(shape, generator=generator), torch.rand(shape, generator=generator), states


def windows_of(observation: tuple[int, int], *convolutions: nn.Conv2d) -> tuple[Windows, ...]:
    """What each of a chain of convolutions reads."""
    return read_windows(plain_trunk(convolutions, [None] * len(convolutions)), observation)


def every_plane(policy: Policy) -> tuple[tuple[int, ...], ...]:
    return (tuple(range(policy.observation_shape[0])),)


def assert_bit_equal(first: PerturbedOutputs, second: PerturbedOutputs) -> None:
    for a, b in zip(first[:2], second[:2], strict=True):
        assert torch.equal(a.preferences, b.preferences)
        assert torch.equal(a.value, b.value)


def test_plan_of_one_mask_by_hand() -> None:
    """A 3x3 stride-1 kernel over one pixel of a 4x5 plane: nine outputs see it, six exist
    inside."""
    (windows,) = windows_of((4, 5), nn.Conv2d(1, 1, 3))
    assert windows.outputs == (2, 3)
    assert windows.taps[0].tolist() == [0, 1, 2, 5, 6, 7, 10, 11, 12]
    masks = torch.zeros(1, 4, 5)
    masks[0, 0, 1] = 0.5
    plan = plan_chunk((windows,), masks, 0, 1)
    assert plan.final.tolist() == [1, 2, 0, 0, 0, 0]
    (segment,) = plan.first
    assert segment.mask_taps[:, 0].tolist() == [
        [0, 0.5, 0, 0, 0, 0, 0, 0, 0],
        [0.5, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert plan.runs == ((0, 1, 0, 2),)


def test_padding_is_not_read() -> None:
    (windows,) = windows_of((4, 4), nn.Conv2d(1, 1, 3, stride=2, padding=1))
    assert windows.taps[0].tolist() == [16, 16, 16, 16, 0, 1, 16, 4, 5]


def test_second_layer_leaves_out_kernel_rows_that_no_mask_reaches() -> None:
    """A pixel at the top changes row 0 alone, which the outputs below read with kernel row 0."""
    windows = windows_of((3, 2), nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 2))
    masks = torch.zeros(1, 3, 2)
    masks[0, 1, 0] = 1
    (layer,) = plan_chunk(windows, masks, 0, 1).later
    assert layer.positions.tolist() == [1, 0]
    assert [tuple(group) for group in layer.groups] == [(1, 0, 2), (2, 2, 4)]
    assert layer.stops.tolist() == [1, 2]


@pytest.mark.parametrize("make", [nature, baby])
@pytest.mark.parametrize("projects", [True, False])
def test_equals_float64_forward(make, projects: bool) -> None:
    policy = make(projects=projects)
    masks = discs(policy.observation_shape[1:], 12, 15)
    observations, references, states = frames(policy, 2)
    engine = incremental.build(
        policy,
        MaskedPlanes(masks=masks, selections=every_plane(policy)),
        memory_bytes=GIGABYTE,
        threads=2,
    )
    got = engine(observations, references, states)
    exact = policy.double()
    for frame in range(2):
        o, r = observations[frame].double(), references[frame].double()
        state = None if states is None else states[frame : frame + 1].double()
        base = exact(o[None], state)
        many = None if state is None else state.expand(len(masks), -1)
        perturbed = exact(o + masks[:, None].double() * (r - o), many)
        torch.testing.assert_close(
            got.perturbed.preferences[frame, 0].double(), perturbed.preferences, rtol=0, atol=2e-6
        )
        torch.testing.assert_close(
            got.perturbed.value[frame, 0].double(), perturbed.value, rtol=0, atol=2e-6
        )
        torch.testing.assert_close(
            got.base.preferences[frame].double(), base.preferences[0], rtol=0, atol=2e-6
        )


@pytest.mark.parametrize("projects", [True, False])
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ELU(), nn.Tanh(), nn.LeakyReLU(0.1)])
@pytest.mark.parametrize("channels", [3, 5, 16])
def test_a_mask_that_changes_nothing_gives_the_base_outputs(
    projects: bool, activation: nn.Module, channels: int
) -> None:
    """Where the reference is the observation, or the policy does not look, outputs are equal."""
    torch.manual_seed(3)
    convolutions = [nn.Conv2d(2, channels, 3, 2, 1), nn.Conv2d(channels, channels, 3)]
    policy = SmallPolicy(convolutions, activation, (2, 19, 23), recurrent=True, projects=projects)
    with torch.no_grad():
        convolutions[0].weight[:, 1] = 0
    masks = discs((19, 23), 4, 6)
    observations, references, states = frames(policy, 1)
    references[:, 0, :, :12] = observations[:, 0, :, :12]
    engine = incremental.build(
        policy, MaskedPlanes(masks=masks, selections=((0,), (1,))), memory_bytes=GIGABYTE, threads=1
    )
    got = engine(observations, references, states)
    change = got.perturbed.preferences[0] - got.base.preferences[0]
    untouched = (masks[:, :, 12:] == 0).flatten(1).all(1)
    assert 0 < int(untouched.sum()) < len(masks)
    assert (change[0][untouched] == 0).all()
    assert (change[0][~untouched] != 0).any(dim=1).all()
    assert (change[1] == 0).all()
    assert (got.perturbed.value[0, 1] == got.base.value[0]).all()


@pytest.mark.parametrize("projects", [True, False])
def test_workers_frames_and_repeats_are_bit_equal(projects: bool) -> None:
    policy = baby(projects=projects)
    perturbation = MaskedPlanes(masks=discs((80, 80), 10, 14), selections=((0,),))
    engines = [
        incremental.build(policy, perturbation, memory_bytes=GIGABYTE, threads=threads)
        for threads in (1, 2, 3)
    ]
    assert [engine.workers for engine in engines] == [1, 2, 3]
    arguments = frames(policy, 5)
    first = engines[0](*arguments)
    for engine in engines:
        assert_bit_equal(first, engine(*arguments))
        one = [engine(*(None if a is None else a[i : i + 1] for a in arguments)) for i in range(5)]
        for frame, single in enumerate(one):
            assert torch.equal(single.perturbed.preferences[0], first.perturbed.preferences[frame])
            assert torch.equal(single.base.preferences[0], first.base.preferences[frame])


def test_little_memory_means_small_chunks_and_plans_made_again() -> None:
    policy = nature()
    perturbation = MaskedPlanes(masks=discs((84, 84), 7, 20), selections=every_plane(policy))
    roomy = incremental.build(policy, perturbation, memory_bytes=GIGABYTE, threads=2)
    arguments = frames(policy, 1)
    expected = roomy(*arguments).perturbed.preferences
    for memory_bytes in (19_000_000, 16_000_000):
        tight = incremental.build(policy, perturbation, memory_bytes=memory_bytes, threads=2)
        assert tight.chunk_masks < roomy.chunk_masks
        assert tight.nbytes <= memory_bytes < roomy.nbytes
        got = tight(*arguments).perturbed.preferences
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
    with pytest.raises(InvalidArgument, match=r"1,000 bytes of memory .* expected [\d,]+ or more"):
        incremental.build(policy, perturbation, memory_bytes=1000, threads=1)


def test_masks_that_reach_nothing_or_everything() -> None:
    policy = SmallPolicy([nn.Conv2d(1, 4, 3, 2), nn.Conv2d(4, 4, 2)], nn.ReLU(), (1, 9, 7))
    masks = torch.stack([torch.zeros(9, 7), torch.ones(9, 7)])
    engine = incremental.build(
        policy, MaskedPlanes(masks=masks, selections=((0,),)), memory_bytes=GIGABYTE, threads=2
    )
    observations, references, _ = frames(policy, 1)
    got = engine(observations, references, None)
    assert torch.equal(got.perturbed.preferences[0, 0, 0], got.base.preferences[0])
    torch.testing.assert_close(
        got.perturbed.preferences[0, 0, 1], policy(references).preferences[0]
    )


def test_unsupported_policies_say_why() -> None:
    dilated = SmallPolicy([nn.Conv2d(1, 2, 3, dilation=2)], nn.ReLU(), (1, 9, 9))
    assert "dilated" in str(incremental.unsupported(dilated))
    same = SmallPolicy([nn.Conv2d(1, 2, 3, padding="same")], nn.ReLU(), (1, 9, 9))
    assert "numeric padding" in str(incremental.unsupported(same))
    half = SmallPolicy([nn.Conv2d(1, 2, 3)], nn.ReLU(), (1, 9, 9)).bfloat16()
    assert "bfloat16" in str(incremental.unsupported(half))
    trunkless = SmallPolicy([nn.Conv2d(1, 2, 3)], nn.ReLU(), (1, 9, 9))
    trunkless.trunk = lambda: None  # type: ignore[assignment, return-value]
    perturbation = MaskedPlanes(masks=torch.ones(1, 9, 9), selections=((0,),))
    with pytest.raises(InvalidArgument, match="does not begin with convolutions"):
        incremental.build(trunkless, perturbation, memory_bytes=GIGABYTE, threads=1)


@pytest.mark.parametrize(
    ("pool", "obstacle"),
    [
        (nn.MaxPool2d(2, dilation=2), "dilated or rounds sizes up"),
        (nn.MaxPool2d(2, ceil_mode=True), "dilated or rounds sizes up"),
        (nn.AvgPool2d(3, padding=1, count_include_pad=False), "leaves out its padding"),
        (nn.MaxPool2d((2, 1), (1, 2)), None),
        (nn.AvgPool2d(3, padding=1), None),
    ],
)
def test_pools_that_cannot_be_followed_say_why(pool: nn.Module, obstacle: str | None) -> None:
    policy = SmallPolicy([nn.Conv2d(1, 2, 3)], nn.ReLU(), (1, 9, 9))
    steps = (*policy.trunk().steps, TrunkStep(pool, None, (0,)))  # type: ignore[arg-type]
    policy.trunk = lambda: Trunk(steps)  # type: ignore[assignment, method-assign]
    reason = incremental.unsupported(policy)
    assert reason is None if obstacle is None else obstacle in str(reason)


def test_wrong_shapes_are_refused() -> None:
    policy = SmallPolicy([nn.Conv2d(1, 2, 3)], nn.ReLU(), (1, 9, 9), recurrent=True)
    perturbation = MaskedPlanes(masks=torch.ones(1, 9, 9), selections=((0,),))
    engine = incremental.build(policy, perturbation, memory_bytes=GIGABYTE, threads=1)
    observations, references, states = frames(policy, 2)
    with pytest.raises(ShapeError, match=r"recurrent states missing: expected \[2, 8\]"):
        engine(observations, references, None)
    with pytest.raises(ShapeError, match="references"):
        engine(observations, references[:1], states)
    with pytest.raises(ShapeError, match="masks"):
        incremental.build(
            policy,
            MaskedPlanes(masks=torch.ones(1, 9, 8), selections=((0,),)),
            memory_bytes=GIGABYTE,
            threads=1,
        )


def test_own_activation_modules_are_taken_as_they_are() -> None:
    class Squash(nn.Module):
        def forward(self, rows: Tensor) -> Tensor:
            return rows / (1 + rows.abs())

    policy = SmallPolicy([nn.Conv2d(1, 3, 3), nn.Conv2d(3, 2, 3, 2)], Squash(), (1, 11, 8))
    masks = discs((11, 8), 3, 4)
    engine = incremental.build(
        policy, MaskedPlanes(masks=masks, selections=((0,),)), memory_bytes=GIGABYTE, threads=1
    )
    o, r, _ = frames(policy, 1)
    expected = policy(o + masks[:, None] * (r - o)).preferences
    torch.testing.assert_close(engine(o, r, None).perturbed.preferences[0, 0], expected)


def test_an_error_in_a_worker_comes_through_and_threads_are_restored() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:

        def task(workspace: list[int]) -> None:
            workspace.append(1)
            raise ShapeError("from a worker")

        with pytest.raises(ShapeError, match="from a worker"):
            spread([task] * 4, [[], []])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("projects", [True, False])
def test_heads_in_several_batches_share_one_base(
    projects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = SmallPolicy(
        [nn.Conv2d(1, 3, 3)], nn.ELU(), (1, 9, 9), recurrent=True, projects=projects
    )
    masks = discs((9, 9), 2, 3)
    perturbation = MaskedPlanes(masks=masks, selections=((0,),))
    arguments = frames(policy, 1)
    engine = incremental.build(policy, perturbation, memory_bytes=GIGABYTE, threads=1)
    expected = engine(*arguments)
    monkeypatch.setattr(head, "BATCH_ROWS", 5)
    got = engine(*arguments)
    torch.testing.assert_close(
        got.perturbed.preferences, expected.perturbed.preferences, rtol=0, atol=1e-6
    )
    torch.testing.assert_close(got.perturbed.value, expected.perturbed.value, rtol=0, atol=1e-6)


OUT_OF_MEMORY = (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"))


def fails_once_at(call: int, function, error: Exception):
    """The function, but its n-th call runs out of memory."""
    calls = itertools.count(1)

    def wrapped(*args, **kwargs):
        if next(calls) == call:
            raise error
        return function(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("place", ["plan", "workspace", "products", "head"])
@pytest.mark.parametrize("call", [1, 2])
def test_running_out_of_memory_anywhere_halves_the_chunk_and_leaves_the_same_map(
    place: str, call: int, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "CHUNK_MASKS", 30)  # two chunks
    policy = nature()
    masks = discs(policy.observation_shape[1:], 12, 15)
    perturbation = MaskedPlanes(masks=masks, selections=every_plane(policy))
    observations, references, states = frames(policy, 2)
    budget = {"memory_bytes": GIGABYTE, "threads": 2}
    calm = incremental.build(policy, perturbation, **budget)
    wanted = calm(observations, references, states)
    owner, name = {
        "plan": (incremental, "plan_chunk"),
        "workspace": (propagate.Propagation, "__init__"),
        "products": (propagate.Propagation, "run"),
        "head": (head.ProjectedHead, "finish"),
    }[place]
    monkeypatch.setattr(owner, name, fails_once_at(call, getattr(owner, name), error))
    engine = incremental.build(policy, perturbation, **budget)
    got = engine(observations, references, states)
    assert got.halvings == 1
    assert engine.chunk_masks == -(-calm.chunk_masks // 2)
    torch.testing.assert_close(
        got.perturbed.preferences, wanted.perturbed.preferences, rtol=0, atol=2e-6
    )
    assert engine(observations, references, states).halvings == 0


def test_memory_that_never_suffices_ends_in_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = nature()
    masks = discs(policy.observation_shape[1:], 12, 15)
    perturbation = MaskedPlanes(masks=masks, selections=((0,),))

    def full(*_args: object) -> None:
        raise MemoryError

    engine = incremental.build(policy, perturbation, memory_bytes=GIGABYTE, threads=2)
    calm = engine(*frames(policy, 1))
    with monkeypatch.context() as patched:
        patched.setattr(incremental, "plan_chunk", full)
        with pytest.raises(DeviceError, match="single mask"):
            incremental.build(policy, perturbation, memory_bytes=GIGABYTE, threads=1)
        patched.setattr(propagate.Propagation, "run", full)
        with pytest.raises(DeviceError, match="single mask"):
            engine(*frames(policy, 1))
    again = engine(*frames(policy, 1))  # memory was freed: the same engine goes on
    assert (engine.chunk_masks, engine.workers) == (1, 1)
    torch.testing.assert_close(
        again.perturbed.preferences, calm.perturbed.preferences, rtol=0, atol=2e-6
    )


def test_an_error_of_another_kind_is_not_taken_for_a_lack_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = nature()
    masks = discs(policy.observation_shape[1:], 12, 15)
    perturbation = MaskedPlanes(masks=masks, selections=((0,),))
    engine = incremental.build(policy, perturbation, memory_bytes=GIGABYTE, threads=1)
    broken = fails_once_at(1, propagate.Propagation.run, RuntimeError("sizes do not match"))
    monkeypatch.setattr(propagate.Propagation, "run", broken)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        engine(*frames(policy, 1))


@pytest.mark.parametrize("make", [nature, baby])
@pytest.mark.parametrize("height", [0, 1, 20, 50])
@pytest.mark.parametrize("dead", [False, True])
def test_what_is_left_out_of_a_flat_frame_changes_nothing(make, height: int, dead: bool) -> None:
    """Only ``height`` rows differ from the reference; half of the first layer may never fire."""
    policy = make()
    if dead:
        with torch.no_grad():
            first = policy.trunk().steps[0].window
            first.weight[::2], first.bias[::2] = 0, -1
    masks = discs(policy.observation_shape[1:], 12, 15)
    observations, references, states = frames(policy, 2)
    outside = torch.ones(observations.shape[-2:], dtype=torch.bool)
    outside[30 : 30 + height, 20:45] = False
    references[..., outside] = observations[..., outside]
    engine = incremental.build(
        policy,
        MaskedPlanes(masks=masks, selections=every_plane(policy)),
        memory_bytes=GIGABYTE,
        threads=1,
    )
    got = engine(observations, references, states)
    exact = policy.double()
    for frame in range(2):
        o, r = observations[frame].double(), references[frame].double()
        many = None if states is None else states[frame].double().expand(len(masks), -1)
        perturbed = exact(o + masks[:, None].double() * (r - o), many).preferences
        found = got.perturbed.preferences[frame, 0]
        torch.testing.assert_close(found.double(), perturbed, rtol=0, atol=2e-6)
        still = ((masks[:, None] * (references[frame] - observations[frame])) == 0).flatten(1)
        unchanged = found[still.all(1)]
        assert torch.equal(unchanged, got.base.preferences[frame].expand_as(unchanged))
