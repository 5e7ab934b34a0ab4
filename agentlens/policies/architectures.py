"""Known networks by name, expanded to declared chains."""

from __future__ import annotations

from collections.abc import Callable

from agentlens.errors import UnknownName
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec

RELU = LayerSpec(kind="relu")
FLATTEN = LayerSpec(kind="flatten")


def conv(out: int, kernel: int, stride: int, padding: int = 0) -> LayerSpec:
    """A convolution layer."""
    return LayerSpec(kind="conv", out=out, kernel=kernel, stride=stride, padding=padding)


def linear(out: int) -> LayerSpec:
    """A fully connected layer."""
    return LayerSpec(kind="linear", out=out)


def actor_critic(actions: int, reads: str = "torso") -> tuple[ChainSpec, ChainSpec]:
    """The two one-layer heads of an actor-critic."""
    return (
        ChainSpec(name="policy", reads=reads, layers=(linear(actions),), output="logits"),
        ChainSpec(name="value", reads=reads, layers=(linear(1),), output="value"),
    )


def nature_layers(features: int = 512) -> tuple[LayerSpec, ...]:
    """The torso of Mnih et al. (2015), Methods, "Model architecture"."""
    return (
        conv(32, 8, 4),
        RELU,
        conv(64, 4, 2),
        RELU,
        conv(64, 3, 1),
        RELU,
        FLATTEN,
        linear(features),
        RELU,
    )


def _nature_cnn(actions: int) -> NetworkSpec:
    torso = ChainSpec(name="torso", layers=nature_layers())
    return NetworkSpec(chains=(torso, *actor_critic(actions)))


def _nature_dqn(actions: int) -> NetworkSpec:
    torso = ChainSpec(name="torso", layers=nature_layers())
    head = ChainSpec(name="q", reads="torso", layers=(linear(actions),), output="q_values")
    return NetworkSpec(chains=(torso, head))


def _a3c_ff(actions: int) -> NetworkSpec:
    layers = (conv(16, 8, 4), RELU, conv(32, 4, 2), RELU, FLATTEN, linear(256), RELU)
    return NetworkSpec(chains=(ChainSpec(name="torso", layers=layers), *actor_critic(actions)))


def _baby_a3c(actions: int) -> NetworkSpec:
    layers = (conv(32, 3, 2, 1), LayerSpec(kind="elu")) * 4
    memory = (FLATTEN, LayerSpec(kind="gru", out=256))
    return NetworkSpec(
        chains=(ChainSpec(name="torso", layers=layers + memory), *actor_critic(actions))
    )


def _greydanus_lstm(actions: int) -> NetworkSpec:
    layers = (conv(32, 3, 2, 1), LayerSpec(kind="elu")) * 4
    memory = (FLATTEN, LayerSpec(kind="lstm", out=256))
    return NetworkSpec(
        chains=(ChainSpec(name="torso", layers=layers + memory), *actor_critic(actions))
    )


def _nature_lstm(actions: int) -> NetworkSpec:
    layers = (*nature_layers(), LayerSpec(kind="lstm", out=128))
    return NetworkSpec(chains=(ChainSpec(name="torso", layers=layers), *actor_critic(actions)))


def _pqn(actions: int) -> NetworkSpec:
    norm = LayerSpec(kind="layer_norm")
    layers: list[LayerSpec] = []
    for layer in nature_layers():
        layers += [norm, layer] if layer == RELU else [layer]
    torso = ChainSpec(name="torso", layers=tuple(layers))
    head = ChainSpec(name="q", reads="torso", layers=(linear(actions),), output="q_values")
    return NetworkSpec(chains=(torso, head))


def _impala(actions: int) -> NetworkSpec:
    layers: list[LayerSpec] = []
    pool = LayerSpec(kind="max_pool", kernel=3, stride=2, padding=1)
    for channels in (16, 32, 32):
        step = (RELU, conv(channels, 3, 1, 1))
        block = (*step, *step, LayerSpec(kind="add", back=4))
        layers += [conv(channels, 3, 1, 1), pool, *block, *block]
    torso = ChainSpec(name="torso", layers=(*layers, RELU, FLATTEN, linear(256), RELU))
    return NetworkSpec(chains=(torso, *actor_critic(actions)))


_KNOWN: dict[str, Callable[[int], NetworkSpec]] = {
    "nature-cnn": _nature_cnn,
    "nature-dqn": _nature_dqn,
    "a3c-ff": _a3c_ff,
    "baby-a3c": _baby_a3c,
    "greydanus-lstm": _greydanus_lstm,
    "nature-lstm": _nature_lstm,
    "pqn": _pqn,
    "impala": _impala,
}

ARCHITECTURES = tuple(_KNOWN)
"""Names that ``architecture`` knows and ``[network] architecture`` may say."""


def architecture(name: str, actions: int) -> NetworkSpec:
    """Expand a known network.

    ``nature-cnn``: Mnih et al. (2015) torso, actor and critic. ``nature-dqn``: the same with
    Q-values. ``a3c-ff``: the smaller torso of Mnih et al. (2016). ``baby-a3c``: four strided
    convolutions and a GRU of 256. ``greydanus-lstm``: the same with an LSTM (Greydanus et al.
    2018). ``nature-lstm``: the Nature torso and an LSTM of 128. ``pqn``: Q-values with a layer norm
    before each ReLU (Gallici et al. 2024). ``impala``: three sections of pooled and residual
    convolutions (Espeholt et al. 2018, figure 3), without memory.

    Raises:
        UnknownName: no such network; the message lists them.
    """
    if name not in _KNOWN:
        raise UnknownName("architecture", name, _KNOWN)
    return _KNOWN[name](actions)
