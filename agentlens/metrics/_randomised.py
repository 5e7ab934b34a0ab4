"""Policies whose layers forgot what they learned, from the output down to the input."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from agentlens.policies.base import Policy


def stages(policy: Policy) -> list[list[str]]:
    """Names of the layers that are randomised together: the output layers first, then one each.

    Layers are those modules that hold parameters of their own, in the order in which they are
    declared; the output layers are the linear ones at the end that give an action or a value each.
    """
    names = [
        name
        for name, module in policy.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    actions = len(policy.action_meanings)
    outputs: list[str] = []
    while names and _gives_output(policy.get_submodule(names[-1]), actions):
        outputs.append(names.pop())
    inner = [[name] for name in reversed(names)]
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


def _gives_output(module: nn.Module, actions: int) -> bool:
    return isinstance(module, nn.Linear) and module.out_features in (1, actions)


def _forget(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        with torch.no_grad():
            reset()
        return
    for parameter in module.parameters(recurse=False):
        shuffled = parameter.flatten()[torch.randperm(parameter.numel())]
        parameter.data.copy_(shuffled.reshape(parameter.shape))
