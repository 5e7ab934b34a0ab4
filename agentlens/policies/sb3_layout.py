"""SB3's policies as declared chains, from the names and shapes of their tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from agentlens.errors import WeightMismatch
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.architectures import linear, nature_layers
from agentlens.policies.layers import ACTIVATIONS
from agentlens.policies.weights import rows

_TORSO = ((0, 32, 8), (2, 64, 4), (4, 64, 3))
"""Index in the Sequential, channels and kernel of NatureCNN's convolutions."""

_TORCH_ACTIVATIONS = {"ReLU": "relu", "Tanh": "tanh", "ELU": "elu", "LeakyReLU": "leaky_relu"}

Output = Literal["logits", "q_values", "value", "quantiles"]


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A network and where its layers' tensors are; ``planes``: what the torso reads."""

    network: NetworkSpec
    sources: Mapping[str, str]
    algorithm: str
    actions: int
    planes: int
    assumed: tuple[str, ...]


def rebuild(tensors: Mapping[str, Tensor], activation: str, actions: int | None) -> Rebuilt:
    """Rebuild the network of an SB3 policy.

    Args:
        tensors: of policy.pth.
        activation: what the file declares for its MLP layers, as text; "" where nothing.
        actions: number of actions that the file declares; needed for quantiles only.

    Raises:
        WeightMismatch: the tensors are not those of a CnnPolicy with SB3's NatureCNN.
    """
    parts = _Parts(tensors=tensors)
    if "action_net.weight" in tensors:
        algorithm, count = _actor_critic(parts, activation)
    else:
        algorithm, count = _q_network(parts, activation, actions)
    _check_all_used(parts)
    return Rebuilt(
        network=NetworkSpec(chains=tuple(parts.chains)),
        sources=parts.sources,
        algorithm=algorithm,
        actions=count,
        planes=parts.planes,
        assumed=tuple(parts.assumed),
    )


@dataclass
class _Parts:
    tensors: Mapping[str, Tensor]
    chains: list[ChainSpec] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    planes: int = 0

    def add(
        self,
        name: str,
        reads: str,
        layers: Sequence[tuple[LayerSpec, str]],
        output: Output | None = None,
        quantiles: int | None = None,
    ) -> str:
        """Append a chain of layers with their sources ("" for none)."""
        for index, (_, source) in enumerate(layers):
            if source:
                self.sources[f"{name}.{index}"] = source
        chain = ChainSpec(
            name=name,
            reads=reads,
            layers=tuple(layer for layer, _ in layers),
            output=output,
            quantiles=quantiles,
        )
        self.chains.append(chain)
        return name

    def units(self, prefix: str) -> int:
        """Outputs of the linear layer at a prefix."""
        return rows(self.tensors, f"{prefix}.weight", 2)

    def torso(self, name: str, prefix: str) -> str:
        """NatureCNN at a prefix."""
        sources = {}
        for index, channels, kernel in _TORSO:
            tensor = f"{prefix}.cnn.{index}.weight"
            shape = tuple(self.tensors[tensor].shape) if tensor in self.tensors else ()
            if len(shape) != 4 or (shape[0], *shape[2:]) != (channels, kernel, kernel):
                raise WeightMismatch(
                    f"tensor {tensor!r} has shape {shape or 'none'}, SB3's NatureCNN has "
                    f"({channels}, any, {kernel}, {kernel}): a custom or MLP feature extractor. "
                    "Describe the network in a manifest and import policy.pth."
                )
            if index == 0:
                self.planes = shape[1]
            sources[index] = f"{prefix}.cnn.{index}"
        sources[7] = f"{prefix}.linear.0"
        layers = nature_layers(self.units(sources[7]))
        return self.add(
            name, "observation", [(x, sources.get(i, "")) for i, x in enumerate(layers)]
        )

    def mlp(self, prefix: str, activation: LayerSpec) -> list[tuple[LayerSpec, str]]:
        """Linear layers at the even indices of a Sequential, each with its activation."""
        layers: list[tuple[LayerSpec, str]] = []
        index = 0
        while f"{prefix}.{index}.weight" in self.tensors:
            source = f"{prefix}.{index}"
            layers += [(linear(self.units(source)), source), (activation, "")]
            index += 2
        return layers

    def lstm(self, prefix: str) -> list[tuple[LayerSpec, str]]:
        """The layers of an nn.LSTM."""
        layers: list[tuple[LayerSpec, str]] = []
        while f"{prefix}.weight_hh_l{len(layers)}" in self.tensors:
            number = len(layers)
            units = rows(self.tensors, f"{prefix}.weight_hh_l{number}", 2) // 4
            layers.append((LayerSpec(kind="lstm", out=units), f"{prefix}.*_l{number}"))
        return layers

    def activation(self, declared: str, default: str, used: bool) -> LayerSpec:
        """The MLP's activation: what the file declares, else SB3's default, noted as assumed."""
        match = re.fullmatch(r"<class 'torch\.nn\.modules\.activation\.(\w+)'>", declared)
        kind = _TORCH_ACTIVATIONS.get(match.group(1), "") if match else default
        if declared and not match:
            kind = ""
        if kind not in ACTIVATIONS:
            raise WeightMismatch(
                f"the MLP's activation is declared as {declared!r}; expected one of "
                f"{', '.join(_TORCH_ACTIVATIONS)}."
            )
        if used:
            how = "as the file declares" if declared else "SB3's default"
            self.assumed.append(f"network.activation = {kind} in the MLP layers ({how})")
        return LayerSpec(kind=kind)  # type: ignore[arg-type]

    def same(self, one: str, other: str) -> bool:
        """Whether two torsos hold equal tensors."""
        names = [n.removeprefix(one) for n in self.tensors if n.startswith(f"{one}.")]
        return all(
            f"{other}{n}" in self.tensors
            and torch.equal(self.tensors[one + n], self.tensors[other + n])
            for n in names
        )


def _actor_critic(parts: _Parts, declared: str) -> tuple[str, int]:
    tensors = parts.tensors
    pi, vf = "pi_features_extractor", "vf_features_extractor"
    if f"{pi}.cnn.0.weight" not in tensors:
        pi = vf = "features_extractor"
    if parts.same(pi, vf):
        actor = critic = parts.torso("torso", pi)
    else:
        actor, critic = parts.torso("policy_torso", pi), parts.torso("value_torso", vf)
    recurrent = parts.lstm("lstm_actor")
    if recurrent:
        actor, critic = _memories(parts, recurrent, actor, critic)
    has_mlp = any(name.startswith("mlp_extractor.") for name in tensors)
    activation = parts.activation(declared, "tanh", used=has_mlp)
    shared = parts.mlp("mlp_extractor.shared_net", activation)
    if shared:
        actor = critic = parts.add("shared", actor, shared)
    actions = parts.units("action_net")
    pi_layers = parts.mlp("mlp_extractor.policy_net", activation)
    vf_layers = parts.mlp("mlp_extractor.value_net", activation)
    parts.add("policy", actor, [*pi_layers, (linear(actions), "action_net")], "logits")
    parts.add("value", critic, [*vf_layers, (linear(1), "value_net")], "value")
    return ("RecurrentPPO" if recurrent else ""), actions


def _memories(
    parts: _Parts, recurrent: list[tuple[LayerSpec, str]], actor: str, critic: str
) -> tuple[str, str]:
    """sb3-contrib: the critic has an LSTM of its own, a plain layer, or shares the actor's."""
    memory = parts.add("policy_memory", actor, recurrent)
    own = parts.lstm("lstm_critic")
    if own:
        return memory, parts.add("value_memory", critic, own)
    if "critic.weight" in parts.tensors:
        units = parts.units("critic")
        return memory, parts.add("value_features", critic, [(linear(units), "critic")])
    return memory, memory


def _q_network(parts: _Parts, declared: str, actions: int | None) -> tuple[str, int]:
    name = next((n for n in ("q_net", "quantile_net") if _has(parts, f"{n}.{n}.")), "")
    if not name:
        raise WeightMismatch(
            "the SB3 policy has neither 'action_net' nor 'q_net' nor 'quantile_net'; expected "
            "PPO, A2C, DQN, QR-DQN or RecurrentPPO with discrete actions."
        )
    torso = parts.torso("torso", f"{name}.features_extractor")
    parts.units(f"{name}.{name}.0")
    depth = len(parts.mlp(f"{name}.{name}", LayerSpec(kind="relu"))) // 2
    activation = parts.activation(declared, "relu", used=depth > 1)
    layers = parts.mlp(f"{name}.{name}", activation)[:-1]
    outputs = layers[-1][0].out or 0
    if name == "q_net":
        parts.add("q", torso, layers, "q_values")
        return "DQN", outputs
    if not actions or outputs % actions:
        raise WeightMismatch(
            f"{outputs} quantile outputs for {actions or 'an unknown number of'} actions; expected "
            "a multiple."
        )
    parts.add("q", torso, layers, "quantiles", outputs // actions)
    return "QR-DQN", actions


def _check_all_used(parts: _Parts) -> None:
    """Refuse a policy with tensors that the rebuilt network has no place for."""
    used = tuple(source.split("*")[0] for source in parts.sources.values())
    copies = (
        "features_extractor.",
        "pi_features_extractor.",
        "vf_features_extractor.",
        "q_net_target.",
        "quantile_net_target.",
    )
    for name in parts.tensors:
        if not name.startswith((*used, *copies)):
            raise WeightMismatch(
                f"tensor {name!r} has no place in SB3's standard CnnPolicy: a custom policy. "
                "Describe the network in a manifest and import policy.pth."
            )


def _has(parts: _Parts, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in parts.tensors)
