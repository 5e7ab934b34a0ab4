"""Policies from declared chains of layers: the one kind of network the program runs.

A chain reads the observation or an earlier chain; the chains with an ``output`` are the heads.

Tensors are named ``<chain>.<layer index>.<parameter>``, for example ``torso.0.weight`` for the
first convolution of the chain ``torso`` (layers without tensors are counted too).
:data:`agentlens.policies.layers.PARAMETERS` lists the parameters of each kind of layer.

Recurrent state is one flat vector [B, S]: the memories of the recurrent layers, in the order of
chains and layers, a GRU's as h, an LSTM's as h then c.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from agentlens.arrays import check_shape
from agentlens.errors import ShapeError
from agentlens.layer_spec import ChainSpec, NetworkSpec
from agentlens.policies.base import (
    OBSERVATION_READ,
    Policy,
    PolicyOutput,
    Projection,
    Trunk,
    TrunkStep,
)
from agentlens.policies.cells import step_from_input
from agentlens.policies.chains import OBSERVATION, build_chain, check_heads, input_shape
from agentlens.policies.distributions import categorical_returns
from agentlens.policies.layers import ACTIVATIONS, Combination, Shape, memory_size
from agentlens.policies.trunk import (
    first_convolution_reversed,
    first_linear_layers,
    fold_batch_norm,
    reading_chain,
    trunk_end,
    trunk_layers,
    trunk_obstacle,
)
from agentlens.spec import ActionSpec, ObservationSpec


def build_policy(
    network: NetworkSpec, observation: ObservationSpec, action: ActionSpec, *, seed: int = 0
) -> ChainPolicy:
    """Build a policy with initial weights: frozen, in eval mode, float32, on the CPU.

    Args:
        network: the chains.
        observation: gives the size of what goes in.
        action: gives the number and the names of the outputs.
        seed: of PyTorch's default initialisation; the global generator is left as it was.

    Raises:
        ManifestError: the chains do not fit each other, the observation or the actions.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ChainPolicy(network, observation, action)


class ChainPolicy(Policy):
    """A policy made of declared chains; see :func:`build_policy`."""

    def __init__(
        self, network: NetworkSpec, observation: ObservationSpec, action: ActionSpec
    ) -> None:
        super().__init__()
        self.network = network
        self._kept = {chain.name: _kept_inputs(chain) for chain in network.chains}
        self._support = next((c.support for c in network.chains if c.support), (0.0, 0.0))
        self.observation_shape, self.channels = observation.shape, observation.channels
        self.action_meanings = action.meanings
        self.chains = nn.ModuleList()
        shapes: dict[str, Shape] = {OBSERVATION: input_shape(network, observation)}
        for index, chain in enumerate(network.chains):
            layers, shapes[chain.name] = build_chain(chain, shapes, f"network.chains[{index}]")
            self.chains.append(layers)
        self._combines = any(isinstance(module, Combination) for module in self.modules())
        self.kind, self.has_value = check_heads(network, shapes, len(action.meanings))
        self.state_size = sum(memory_size(m) for m in self.modules())
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> ChainPolicy:
        """Stay in eval mode, whatever is asked: a policy here is never trained."""
        super().train(False)
        return self

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch; see :meth:`Policy.forward`."""
        check_shape("observation", observation, (None, *self.observation_shape))
        if self.network.plane_order == "newest_first":
            observation = observation.flip(1)
        if self.network.reshape is not None:
            observation = observation.reshape(*observation.shape[:2], *self.network.reshape)
        return self._evaluate(observation, state)

    def trunk(self) -> Trunk | None:
        """The leading convolutions, pools and residual sums, reading planes oldest first; batch
        norms are folded into convolutions.

        ``None`` where the planes are reshaped or several chains read the observation. Where
        nothing has to be turned round or folded these are the policy's own modules.
        """
        torso = reading_chain(self.network)
        steps = trunk_layers(torso) if torso is not None else []
        if torso is None or not steps:
            return None
        return Trunk(tuple(self._trunk_step(torso, *step) for step in steps))

    def trunk_obstacle(self) -> str:
        """See :meth:`Policy.trunk_obstacle`."""
        return trunk_obstacle(self.network)

    def _trunk_step(self, torso: ChainSpec, indices: range, reads: tuple[int, ...]) -> TrunkStep:
        layers = [self._layers(torso.name)[index] for index in indices]
        kinds = [torso.layers[index].kind for index in indices]
        activation = layers[-1] if kinds[-1] in ACTIVATIONS else None
        window = layers[0]
        if isinstance(window, nn.MaxPool2d | nn.AvgPool2d):
            return TrunkStep(window, activation, reads)
        if not isinstance(window, nn.Conv2d):
            return TrunkStep(None, activation, reads)
        if kinds[1:2] == ["batch_norm"]:
            norm = layers[1]
            assert isinstance(norm, nn.BatchNorm2d)
            window = fold_batch_norm(window, norm)
        if reads == (OBSERVATION_READ,) and self.network.plane_order == "newest_first":
            window = first_convolution_reversed(window)
        return TrunkStep(window, activation, reads)

    def head(self, features: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate what follows the trunk; see :meth:`Policy.head`."""
        torso = reading_chain(self.network)
        assert torso is not None, "trunk() is checked first"
        return self._evaluate(features, state, skip=trunk_end(torso))

    def projection(self) -> Projection | None:
        """The linear maps that read the flattened trunk, one below the other; see
        :meth:`Policy.projection`."""
        places = first_linear_layers(self.network)
        if not places:
            return None
        weights = [_input_tensors(self._layers(chain)[i]) for chain, i in places.items()]
        return Projection(torch.cat([w for w, _ in weights]), torch.cat([b for _, b in weights]))

    def finish(self, projected: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate what follows the projection; see :meth:`Policy.finish`."""
        places = first_linear_layers(self.network)
        sizes = [len(_input_tensors(self._layers(c)[i])[0]) for c, i in places.items()]
        parts = torch.split(projected, sizes, dim=1)
        given = {
            chain: (index, part) for (chain, index), part in zip(places.items(), parts, strict=True)
        }
        return self._evaluate(projected, state, given=given)

    def resume(
        self, chain: str, layer: int, output: Tensor, state: Tensor | None = None
    ) -> PolicyOutput | None:
        """Evaluate what follows a layer, given what it gives.

        Args:
            chain: that reads the observation.
            layer: its index there.
            output: [B, ...], the layer's output.
            state: before the step.

        Returns:
            None where other chains read the observation or a later layer needs earlier ones: then
            only the whole policy will do.
        """
        torso = reading_chain(self.network)
        if torso is None or torso.name != chain or memory_size(self._layers(chain)[layer]):
            return None
        if self._combines:
            return None
        return self._evaluate(output, state, given={chain: (layer, output)})

    def _layers(self, chain: str) -> nn.ModuleList:
        index = [c.name for c in self.network.chains].index(chain)
        layers = self.chains[index]
        assert isinstance(layers, nn.ModuleList)
        return layers

    def _evaluate(
        self,
        inputs: Tensor,
        state: Tensor | None,
        *,
        skip: int = 0,
        given: Mapping[str, tuple[int, Tensor]] | None = None,
    ) -> PolicyOutput:
        """Run the chains.

        Args:
            inputs: the observation, or what the first ``skip`` layers make of it.
            state: before the step.
            skip: layers left out of the chain that reads the observation.
            given: by chain, a layer and its input's linear map, worked out already: layers up to
                it are left out, and so is the chain that reads the observation if not named.
        """
        given = given or {}
        memory = self._check_state(state, len(inputs), shared=bool(given))
        memories = self._split_memory(memory)
        features: dict[str, Tensor] = {OBSERVATION: inputs}
        outputs: dict[str, Tensor] = {}
        after: list[Tensor] = []
        for chain, layers in zip(self.network.chains, self.chains, strict=True):
            assert isinstance(layers, nn.ModuleList)
            start = skip if chain.reads == OBSERVATION else 0
            if chain.name in given:
                start, x = given[chain.name]
            elif given and chain.reads == OBSERVATION:
                continue
            else:
                x = features[chain.reads]
            earlier: dict[int, Tensor] = {}
            # A slice of a ModuleList is a new module, which costs as much as a small layer.
            for index, layer in enumerate(itertools.islice(layers, start, None), start):
                mapped = index == start and chain.name in given
                if index in self._kept[chain.name]:
                    earlier[index] = x
                if memory_size(layer):
                    x, new = _step_memory(layer, x, next(memories), mapped)
                    after.append(new)
                elif isinstance(layer, Combination):
                    x = layer(x, _second_input(chain, index, earlier, features))
                elif not mapped:
                    x = layer(x)
            features[chain.name] = x
            if chain.output is not None:
                outputs[chain.output] = x
        new_state = torch.cat(after, dim=1) if after else None
        return self._combine(outputs, new_state)

    def _split_memory(self, memory: Tensor | None) -> Iterator[Tensor]:
        """The part of each recurrent layer, in the order of chains and layers."""
        if memory is None:
            return iter(())
        sizes = [size for size in map(memory_size, self.modules()) if size]
        return iter(torch.split(memory, sizes, dim=1))

    def _check_state(self, state: Tensor | None, batch: int, *, shared: bool) -> Tensor | None:
        if self.state_size == 0:
            if state is not None:
                raise ShapeError("this policy has no memory, but a recurrent state was given.")
            return None
        if state is None:
            raise ShapeError(
                f"this policy has a memory: pass its state [{batch}, {self.state_size}] before "
                "the step, initial_state() at an episode's start."
            )
        rows = 1 if shared and len(state) == 1 else batch
        check_shape("state", state, (rows, self.state_size))
        return state

    def _combine(self, outputs: dict[str, Tensor], state: Tensor | None) -> PolicyOutput:
        value = outputs["value"].squeeze(1) if "value" in outputs else None
        if "logits" in outputs:
            return PolicyOutput(outputs["logits"], "logits", value, state)
        quantiles = None
        if "q_values" in outputs:
            q_values = outputs["q_values"]
        elif "quantiles" in outputs:
            returns = outputs["quantiles"]
            by_quantile = returns.reshape(len(returns), -1, len(self.action_meanings))
            q_values, quantiles = by_quantile.mean(1), by_quantile.transpose(1, 2)
        elif "atoms" in outputs:
            logits = outputs["atoms"].reshape(len(outputs["atoms"]), len(self.action_meanings), -1)
            q_values, quantiles = categorical_returns(logits, self._support)
        else:
            advantage = outputs["advantage"]
            q_values = outputs["state_value"] + advantage - advantage.mean(1, keepdim=True)
        return PolicyOutput(q_values, "q_values", value, state, quantiles)


def _step_memory(
    layer: nn.Module, x: Tensor, memory: Tensor, mapped: bool
) -> tuple[Tensor, Tensor]:
    """Output and memory after the step; ``mapped``: x went through the input's linear map
    already."""
    assert isinstance(layer, (nn.GRUCell, nn.LSTMCell))
    if mapped:
        return step_from_input(layer, x, memory)
    memory = memory.expand(len(x), -1)
    if isinstance(layer, nn.LSTMCell):
        hidden, cell = layer(x, tuple(memory.chunk(2, dim=1)))
        return hidden, torch.cat((hidden, cell), dim=1)
    hidden = layer(x, memory)
    return hidden, hidden


def _input_tensors(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of the linear map of a layer's input."""
    if isinstance(layer, (nn.GRUCell, nn.LSTMCell)):
        return layer.weight_ih, layer.bias_ih
    assert isinstance(layer, nn.Linear)
    return layer.weight, layer.bias


def _kept_inputs(chain: ChainSpec) -> frozenset[int]:
    """The layers whose input a later layer of the chain takes as its second."""
    return frozenset(i - layer.back for i, layer in enumerate(chain.layers) if layer.back)


def _second_input(
    chain: ChainSpec, index: int, earlier: Mapping[int, Tensor], features: Mapping[str, Tensor]
) -> Tensor:
    layer = chain.layers[index]
    return earlier[index - layer.back] if layer.back else features[layer.chain or OBSERVATION]
