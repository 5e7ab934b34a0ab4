"""Students: exactly one winner a block, exact class activation maps, imitation that works."""

from __future__ import annotations

import pytest
import torch

from agentlens.errors import InvalidArgument
from agentlens.network.students import (
    Student,
    StudentPlan,
    WinnerTakesAll,
    active_share,
    class_activation_map,
    learn_student,
)
from agentlens.policies.agent import load_agent
from tests.planted import nature


def test_the_largest_of_each_block_passes_its_value() -> None:
    with torch.no_grad():
        out = WinnerTakesAll(2, 1.0)(torch.tensor([[1.0, 3.0, -2.0, -1.0]]))
    assert out.tolist() == [[0.0, 3.0, 0.0, -1.0]]  # a winner may be negative


def test_gradients_reach_the_losers_too() -> None:
    values = torch.tensor([[1.0, 3.0]], requires_grad=True)
    WinnerTakesAll(2, 1.0)(values).sum().backward()
    assert values.grad is not None
    assert bool((values.grad != 0).all())


def test_gradients_of_a_taught_student_are_those_of_what_it_computes() -> None:
    student = Student(nature(), StudentPlan(block=4)).eval().requires_grad_(False).double()
    torch.manual_seed(0)
    observation, way = torch.rand(2, 1, 4, 84, 84, dtype=torch.float64).unbind()
    observation.requires_grad_(True)
    (gradient,) = torch.autograd.grad(student(observation).preferences[0, 0], observation)
    with torch.no_grad():
        ahead, behind = (student(observation + s * way).preferences[0, 0] for s in (1e-6, -1e-6))
    assert float((gradient * way).sum()) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-4)


@pytest.mark.parametrize("block", [2, 4, 8])
def test_active_share_is_exactly_one_of_a_block(block: int) -> None:
    student = Student(nature(), StudentPlan(block=block))
    assert active_share(student, torch.rand(2, 4, 84, 84)) == 1 / block


def test_class_activation_maps_add_up_to_the_output() -> None:
    student = Student(nature(), StudentPlan(kind="cam"))
    observation = torch.rand(2, 4, 84, 84)
    maps = class_activation_map(student, observation)
    given = maps.mean((2, 3)) + student.actor.bias
    torch.testing.assert_close(given, student(observation).preferences, atol=1e-5, rtol=1e-5)


def test_grad_cam_equals_cam_on_averaged_features() -> None:
    student = Student(nature(), StudentPlan(kind="cam"))
    observation = torch.rand(1, 4, 84, 84)
    features = student.features(observation).detach().requires_grad_()
    output = student.actor(features.mean((2, 3)))[0, 2]
    (gradient,) = torch.autograd.grad(output, features)
    weights = gradient.sum((2, 3))  # Selvaraju et al. 2017, equation 1, times the places
    grad_cam = (weights[:, :, None, None] * features).sum(1).relu()
    cam = class_activation_map(student, observation)[:, 2].relu()
    torch.testing.assert_close(grad_cam.detach(), cam, atol=1e-5, rtol=1e-5)


def test_maps_of_another_student_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="cam alone"):
        class_activation_map(Student(nature(), StudentPlan()), torch.rand(1, 4, 84, 84))


def test_a_policy_with_memory_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="memory"):
        Student(load_agent("pong-recurrent").policy, StudentPlan())


def test_a_few_updates_bring_a_student_nearer_to_its_teacher() -> None:
    teacher = nature()
    teacher.actor.weight *= 30  # fresh weights leave all actions alike
    generator = torch.Generator().manual_seed(0)
    data = torch.rand(8, 4, 84, 84, generator=generator)
    _, early = learn_student(teacher, StudentPlan(updates=1, batch=8), lambda _: data)
    _, late = learn_student(teacher, StudentPlan(updates=25, batch=8), lambda _: data)
    assert late < 0.5 * early
