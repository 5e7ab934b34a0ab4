"""Policies whose layers forgot what they learned, from the output down to the input."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from agentlens.policies.base import Policy
from agentlens.policies.networks import ChainPolicy


def stages(policy: Policy) -> list[list[str]]:
    """Names of the layers that are randomised together: the output layers first, then one each.

    Layers are those modules that hold parameters of their own, in the order in which they are
    declared. The output layers are the last of each chain that gives an output, so that both
    halves of a dueling network count; of a network that is not declared, the linear ones at the
    end that give an action or a value each.
    """
    names = [
        name
        for name, module in policy.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    outputs = _declared_outputs(policy, names) or _outputs_at_the_end(policy, names)
    inner = [[name] for name in reversed(names) if name not in outputs]
    return [outputs, *inner] if outputs else inner


def cascade(policy: Policy, seed: int) -> Iterator[Policy]:
    """The policy with ever more layers randomised, output first: a copy each.

    A layer is drawn anew by its own initialiser; one that has none gets its own weights in
    another order.
    """
    randomised = copy.deepcopy(policy)
    devices = [p.device for p in policy.parameters() if p.device.type == "cuda"][:1]
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        for names in stages(policy):
            for name in names:
                _forget(randomised.get_submodule(name))
            yield copy.deepcopy(randomised)


def randomised_policy(policy: Policy, seed: int) -> Policy:
    """The policy with every layer randomised."""
    return list(cascade(policy, seed))[-1]


def _declared_outputs(policy: Policy, names: Sequence[str]) -> list[str]:
    """The last layer with weights of each chain that gives an output, the last chain's first."""
    if not isinstance(policy, ChainPolicy):
        return []
    outputs = []
    for number, chain in enumerate(policy.network.chains):
        own = [name for name in names if name.startswith(f"chains.{number}.")]
        outputs += own[-1:] if chain.output is not None else []
    return outputs[::-1]


def _outputs_at_the_end(policy: Policy, names: Sequence[str]) -> list[str]:
    """The last layers, as far as they are linear and as wide as the actions or one value."""
    actions = len(policy.action_meanings)

    def gives_output(name: str) -> bool:
        module = policy.get_submodule(name)
        return isinstance(module, nn.Linear) and module.out_features in (1, actions)

    return list(itertools.takewhile(gives_output, reversed(names)))


def _forget(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        with torch.no_grad():
            reset()
        return
    for parameter in module.parameters(recurse=False):
        shuffled = parameter.flatten()[torch.randperm(parameter.numel())]
        parameter.data.copy_(shuffled.reshape(parameter.shape))
