"""Work in several processes: every row arrives, and so does what went wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

from agentlens.compute import Compute
from agentlens.errors import DeviceError, UnknownName
from agentlens.policies.device import choose_device
from agentlens.workflows.processes import in_processes, parts_for


def _squares(numbers: Sequence[int]) -> Iterator[int]:
    for number in numbers:
        if number < 0:
            raise UnknownName("number", str(number), ["0", "1"])
        if number > 100:
            os._exit(9)
        yield number**2


def test_parts_hold_every_number_once() -> None:
    parts = parts_for(Compute(threads=3), choose_device("cpu"), 8)
    assert [list(part) for part in parts] == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert len(parts_for(Compute(threads=3), choose_device("cpu"), 2)) == 2


@pytest.mark.parametrize("parts", [[[1, 2, 3]], [[1, 3], [2]]])
def test_every_row_arrives(parts: list[list[int]]) -> None:
    assert sorted(in_processes(_squares, parts)) == [1, 4, 9]


def test_an_error_arrives_as_what_it_is() -> None:
    with pytest.raises(UnknownName, match="unknown number '-1': did you mean '1'") as raised:
        list(in_processes(_squares, [[1], [-1]]))
    assert (raised.value.kind, raised.value.name) == ("number", "-1")


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(DeviceError, match="ended with code 9"):
        list(in_processes(_squares, [[1], [101]]))
