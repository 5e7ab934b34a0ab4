"""The exact incremental engine: recomputes only what a mask can reach.

For policies that begin with convolutions, pools, residual sums and activations of single numbers,
on a CPU in float32 or float64. Every mask's share of each step is planned once (``plan``); a frame
then costs one gather and one product a step and chunk (``propagate``). The head's linear map is
applied to the positions that change; what follows it sees all masks of a frame and the unperturbed
observation in one batch.

Shape letters: F frames, P plane selections, M masks, K planes, H W observation, A actions,
S recurrent state, N outputs of the head's linear map.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor, nn

from agentlens.arrays import check_shape
from agentlens.errors import DeviceError, InvalidArgument, ShapeError
from agentlens.policies.base import Policy, PolicyOutput, window_sides
from agentlens.saliency.engine.base import MaskedPlanes, PerturbedOutputs
from agentlens.saliency.engine.head import Head, choose_head
from agentlens.saliency.engine.plan import ChunkPlan, plan_chunk
from agentlens.saliency.engine.propagate import Chain, Propagation
from agentlens.saliency.engine.settings import is_out_of_memory
from agentlens.saliency.engine.workers import spread

CHUNK_MASKS = 320
"""Most masks recomputed together: large products, few small steps between them that would keep
other workers waiting for the interpreter, and tables of some ten megabytes."""

SMALL_CHUNK = 8
"""Chunks are made smaller than this only after the plans have been given up."""


def unsupported(policy: Policy) -> str | None:
    """Why a policy cannot be evaluated incrementally; ``None`` when it can."""
    trunk = policy.trunk()
    if trunk is None:
        return policy.trunk_obstacle()
    for index, step in enumerate(trunk.steps):
        obstacle = _window_obstacle(step.window)
        if obstacle:
            return f"step {index} of the trunk {obstacle}"
    first = trunk.steps[0].window
    if not isinstance(first, nn.Conv2d):
        return "the trunk does not begin with a convolution"
    weight = first.weight
    if weight.device.type != "cpu":
        return f"the policy is on {weight.device}, and the incremental engine is for CPUs"
    if weight.dtype not in (torch.float32, torch.float64):
        return f"the policy computes in {weight.dtype}, expected float32 or float64"
    return None


def _window_obstacle(window: nn.Module | None) -> str | None:
    """What keeps a mask from being followed through a window; ``None`` if nothing does."""
    if window is None:
        return None
    if isinstance(window, nn.MaxPool2d | nn.AvgPool2d):
        dilated = isinstance(window, nn.MaxPool2d) and window.dilation not in (1, (1, 1))
        if dilated or window.ceil_mode:
            return "is a pool that is dilated or rounds sizes up"
        padded = window_sides(window)[2] != (0, 0)
        if padded and isinstance(window, nn.AvgPool2d) and not window.count_include_pad:
            return "is an average that leaves out its padding"
        return None
    if not isinstance(window, nn.Conv2d) or isinstance(window.padding, str):
        return "is not a Conv2d with numeric padding, a pool or a sum"
    if window.dilation != (1, 1) or window.groups != 1 or window.padding_mode != "zeros":
        return "is a convolution that is dilated, grouped or not padded with zeros"
    return None


def build(
    policy: Policy, perturbation: MaskedPlanes, *, memory_bytes: int, threads: int
) -> IncrementalEngine:
    """Plan the masks and allocate the workspaces.

    Args:
        policy: one for which ``unsupported`` gives ``None``.
        perturbation: masks [M, H, W] and plane selections.
        memory_bytes: bound on plans and workspaces together (the masks themselves and the
            results of a call come on top). At most half of it keeps plans; chunks whose plan
            does not fit are planned again for every frame, which takes several times as long.
        threads: frames (or parts of a frame, where there are fewer frames) computed at once.
            Fewer are used where their workspaces would not fit.

    Raises:
        InvalidArgument: the policy is unsupported, or the budget does not even hold one mask.
        DeviceError: the machine's memory ran out with one mask at a time.
        ShapeError: masks of another size than the policy's observations.

    Notes:
        Planning costs about 1 ms a mask for 84x84 pixels. Results do not depend on
        ``threads``; they depend on ``memory_bytes`` by rounding alone.
    """
    reason = unsupported(policy)
    if reason is not None:
        raise InvalidArgument(f"the incremental engine cannot be used: {reason}; use 'batched'.")
    if threads < 1:
        raise InvalidArgument(f"threads {threads}: expected 1 or more.")
    check_shape("masks", perturbation.masks, (None, *policy.observation_shape[1:]))
    return IncrementalEngine(policy, perturbation, memory_bytes=memory_bytes, threads=threads)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Workspace:
    """What one worker writes to.

    ``features``: differences of the trunk's output under a chunk, [m * P, C].
    ``rows``: what a whole frame hands to the head's finish, [1 + M, N].
    """

    propagation: Propagation
    features: Tensor
    rows: Tensor

    @property
    def nbytes(self) -> int:
        own = (self.features, self.rows)
        return self.propagation.nbytes + sum(t.numel() * t.element_size() for t in own)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Call:
    """The arguments of a call and the tensors its results are written to.

    ``actions``: [F, P, M, A] and ``base_actions`` [F, A], logits or Q-values; ``values``
    [F, P, M] and ``base_values`` [F].
    """

    observations: Tensor
    references: Tensor
    states: Tensor | None
    actions: Tensor
    base_actions: Tensor
    values: Tensor
    base_values: Tensor

    def store(self, frame: int, selection: int, output: PolicyOutput) -> None:
        """Keep the outputs of 1 + M rows, the first unperturbed."""
        self.actions[frame, selection] = output.preferences[1:]
        self.base_actions[frame] = output.preferences[0]
        if output.value is not None:
            self.values[frame, selection] = output.value[1:]
            self.base_values[frame] = output.value[0]


class IncrementalEngine:
    """Plans, workspaces and a policy; see ``build`` and ``base.Engine``.

    Not to be called from two threads at once.
    """

    def __init__(
        self, policy: Policy, perturbation: MaskedPlanes, *, memory_bytes: int, threads: int
    ) -> None:
        trunk = policy.trunk()
        assert trunk is not None
        self._policy = policy
        self._selections = perturbation.selections
        self._chain = Chain(trunk, policy.observation_shape[1:])
        self._masks = perturbation.masks.to("cpu", self._chain.first_weight.dtype)
        self._head: Head = choose_head(policy, self._chain.output_shape)
        self._plans: list[ChunkPlan | None] = []
        self._workspaces: list[_Workspace] = []
        self._chunk = _chunk_size(len(self._masks))
        self._memory_bytes, self._threads = memory_bytes, threads
        self._halvings = 0
        self._prepare()

    @property
    def chunk_masks(self) -> int:
        """Masks computed together."""
        return self._chunk

    @property
    def workers(self) -> int:
        """Threads at work: as many as asked for, or as fit into the memory."""
        return len(self._workspaces)

    @property
    def nbytes(self) -> int:
        """Memory of plans, weights laid out anew and workspaces, in bytes."""
        kept = sum(plan.nbytes for plan in self._plans if plan is not None)
        return kept + self._head.nbytes + sum(w.nbytes for w in self._workspaces)

    def _prepare(self) -> None:
        """Plan and allocate, with a chunk that fits the budget and what the machine really has."""
        while True:
            try:
                short = self._allocate()
            except (MemoryError, RuntimeError) as error:
                self._halve(error)
                continue
            if short <= 0:
                return
            if self._chunk == 1:
                raise InvalidArgument(
                    f"{self._memory_bytes:,} bytes of memory do not hold one mask's workspace; "
                    f"expected {self._memory_bytes + short:,} or more."
                )
            self._chunk = -(-self._chunk // 2)

    def _allocate(self) -> int:
        """Plan every chunk, keep the plans that fit, allocate as many workspaces as fit.

        Returns:
            Bytes by which the budget falls short.
        """
        rows = self._plan_chunks(self._memory_bytes // 2)
        self._workspaces = [self._workspace(rows)]
        if self._chunk <= SMALL_CHUNK and self.nbytes > self._memory_bytes:
            self._plans = [None] * len(self._plans)
        spare = self._memory_bytes - self.nbytes
        if spare >= 0:
            more = min(self._threads - 1, spare // self._workspaces[0].nbytes)
            self._workspaces += [self._workspace(rows) for _ in range(more)]
        return -spare

    def _halve(self, error: MemoryError | RuntimeError) -> None:
        """Give everything back and halve the chunk after running out of memory; another error goes
        on.

        The last thing to be given up is a second worker.
        """
        if not is_out_of_memory(error):
            raise error
        self._plans, self._workspaces = [], []
        if self._chunk == 1 and self._threads == 1:
            raise DeviceError(
                "memory ran out with a single mask at a time: free some, or explain on a machine "
                "with more."
            ) from error
        if self._chunk == 1:
            self._threads = 1
        self._chunk = -(-self._chunk // 2)
        self._halvings += 1

    def _plan_chunks(self, memory_bytes: int) -> list[int]:
        """Fill ``_plans``; returns the most rows that a chunk has in each layer."""
        rows, kept = [0] * len(self._chain.channels), 0
        self._plans = []
        for start in range(0, len(self._masks), self._chunk):
            plan = self._make_plan(start)
            rows = [max(pair) for pair in zip(rows, plan.rows, strict=True)]
            kept += plan.nbytes
            self._plans.append(plan if kept <= memory_bytes else None)
        return rows

    def _make_plan(self, start: int) -> ChunkPlan:
        stop = min(start + self._chunk, len(self._masks))
        return plan_chunk(self._chain.windows, self._masks, start, stop)

    def _workspace(self, rows: list[int]) -> _Workspace:
        channels, height, width = self._chain.output_shape
        return _Workspace(
            propagation=Propagation(self._chain, rows),
            features=self._masks.new_empty(self._chunk * height * width, channels),
            rows=self._masks.new_empty(1 + len(self._masks), self._head.width),
        )

    def __call__(
        self, observations: Tensor, references: Tensor, states: Tensor | None
    ) -> PerturbedOutputs:
        """Evaluate; see ``base.Engine``.

        Raises:
            ShapeError: observations, references or states do not fit the policy.
            DeviceError: the machine's memory ran out with one mask at a time.
        """
        call = self._new_call(observations, references, states)
        while True:
            if not self._workspaces:  # given back when memory ran out
                self._prepare()
            try:
                self._evaluate(call)
                return self._outputs(call)
            except (MemoryError, RuntimeError) as error:
                self._halve(error)

    def _evaluate(self, call: _Call) -> None:
        observations = call.observations
        frames, selections = range(len(observations)), range(len(self._selections))
        if len(frames) >= self.workers:
            tasks = [partial(self._whole, call, frame, selections) for frame in frames]
            spread(tasks, self._workspaces)
        else:
            for frame, selection in product(frames, selections):
                self._together(call, frame, selection)

    def _whole(self, call: _Call, frame: int, selections: range, workspace: _Workspace) -> None:
        """One worker makes all maps of a frame."""
        base_row = self._set_frame(call, frame, workspace)
        chunks = range(len(self._plans))
        for selection in selections:
            self._fill(call, frame, selection, chunks, base_row, workspace, workspace.rows)
            call.store(frame, selection, self._finish(call, frame, workspace.rows))

    def _together(self, call: _Call, frame: int, selection: int) -> None:
        """All workers make one map, each some of its chunks."""
        rows = self._workspaces[0].rows

        def part(first: int, workspace: _Workspace) -> None:
            base_row = self._set_frame(call, frame, workspace)
            chunks = range(first, len(self._plans), self.workers)
            self._fill(call, frame, selection, chunks, base_row, workspace, rows)

        def finish(workspace: _Workspace) -> None:
            call.store(frame, selection, self._finish(call, frame, rows))

        spread([partial(part, first) for first in range(self.workers)], self._workspaces)
        spread([finish], self._workspaces[:1])

    def _set_frame(self, call: _Call, frame: int, workspace: _Workspace) -> Tensor:
        return self._head.base_row(workspace.propagation.set_observation(call.observations[frame]))

    def _fill(
        self,
        call: _Call,
        frame: int,
        selection: int,
        chunks: range,
        base_row: Tensor,
        workspace: _Workspace,
        rows: Tensor,
    ) -> None:
        """Write row 0 and the rows of some chunks."""
        rows[:1] = base_row
        difference = call.references[frame] - call.observations[frame]
        workspace.propagation.set_difference(difference, self._selections[selection])
        for index in chunks:
            plan = self._plans[index] or self._make_plan(index * self._chunk)
            features = workspace.features[: len(plan.final)]
            workspace.propagation.run(plan, features)
            self._head.add(rows, plan, base_row, features)

    def _finish(self, call: _Call, frame: int, rows: Tensor) -> PolicyOutput:
        state = None if call.states is None else call.states[frame : frame + 1]
        return self._head.finish(rows, state)

    def _new_call(self, observations: Tensor, references: Tensor, states: Tensor | None) -> _Call:
        """Check the arguments and make room for the results."""
        check_shape("observations", observations, (None, *self._policy.observation_shape))
        check_shape("references", references, tuple(observations.shape))
        frames, size = len(observations), self._policy.state_size
        if (states is None) != (size == 0):
            wanted = f"[{frames}, {size}]" if size else "none"
            raise ShapeError(
                f"recurrent states {'missing' if states is None else 'given'}: expected {wanted}."
            )
        if states is not None:
            check_shape("states", states, (frames, size))
        shape = (frames, len(self._selections), len(self._masks))
        actions = len(self._policy.action_meanings)
        new = self._masks.new_empty
        return _Call(
            observations=observations,
            references=references,
            states=states,
            actions=new(*shape, actions),
            base_actions=new(frames, actions),
            values=new(shape),
            base_values=new(frames),
        )

    def _outputs(self, call: _Call) -> PerturbedOutputs:
        def output(actions: Tensor, values: Tensor) -> PolicyOutput:
            value = values if self._policy.has_value else None
            return PolicyOutput(actions, self._policy.kind, value)

        halvings, self._halvings = self._halvings, 0
        return PerturbedOutputs(
            base=output(call.base_actions, call.base_values),
            perturbed=output(call.actions, call.values),
            halvings=halvings,
        )


def _chunk_size(masks: int) -> int:
    """At most ``CHUNK_MASKS``, in chunks of equal size."""
    return -(-masks // -(-masks // CHUNK_MASKS))
