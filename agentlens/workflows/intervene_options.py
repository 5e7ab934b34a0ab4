"""What an intervention is: plain dataclasses that the Python API and the flags share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from agentlens.counts import check_count
from agentlens.errors import InvalidArgument
from agentlens.workflows.options import Name

UNTOUCHED = "untouched"

WHOLE = "whole"
"""How the command line says the rest of the game."""


def _read_share(words: list[str]) -> float:
    """0.05 of "5%" or "0.05"."""
    (text,) = words
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise InvalidArgument(f"--top {text}: expected a share such as 5%.") from None
    return number / 100 if text.endswith("%") else number


def _read_decisions(words: list[str]) -> int:
    (text,) = words
    if text == WHOLE:
        return 0
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise InvalidArgument(f"--for {text}: expected a number of decisions, or {WHOLE}.")
    return int(text)


Share = Annotated[
    float,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="SHARE",
        instance_from_str=_read_share,
        is_instance=lambda value: isinstance(value, float),
        str_from_instance=lambda share: [f"{share:.0%}"],
    ),
]
"""0 to 1; on the command line 5%, too."""

Decisions = Annotated[
    int,
    tyro.conf.arg(name="for"),
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"K|{WHOLE}",
        instance_from_str=_read_decisions,
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda steps: [str(steps) if steps else WHOLE],
    ),
]
"""How many; 0, on the command line "whole", for all."""

FirstStep = Annotated[int, tyro.conf.arg(name="from", metavar="STEP")]


def random_twin(change: str) -> str:
    """The name of the arm that hides a random region of the size that ``change`` hides."""
    return f"as much at random for {change.removesuffix(' hidden')}"


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """What is changed while the agent plays on: exactly one of regions, a map's top, RAM bytes.

    Raises:
        InvalidArgument: none of them or several, or a share that is none.
    """

    hide: tuple[str, ...] = ()
    """Regions of the screen, each hidden by itself: 'rows,columns' such as 34:194,16:144, or a
    name such as court; + joins several into one."""
    hide_map: Name = None
    """Hide the top of this method's map at each step."""
    top: Share = 0.05
    """How much of the observation the top of a map is, such as 5%."""
    ram: tuple[str, ...] = ()
    """RAM to hold: NAME=freeze, NAME=VALUE or ADDRESS=VALUE."""
    fill: str = "median"
    """What hides: median (the recording's background), blur[:sigma], noise[:seed] or
    constant:VALUE."""
    random: bool = True
    """Beside each hidden region, hide one of the same size and shape at a random place."""

    def __post_init__(self) -> None:
        ways = [bool(self.hide), bool(self.hide_map), bool(self.ram)]
        if sum(ways) != 1:
            raise InvalidArgument(
                "an intervention is one of a region (hide), the top of a map (hide_map) or RAM "
                f"bytes (ram): {sum(ways)} were given."
            )
        if not 0 < self.top < 1:
            raise InvalidArgument(f"top {self.top}: expected a share between 0 and 1.")

    @property
    def changes(self) -> tuple[str, ...]:
        """The names of the changed arms."""
        if self.ram:
            return (f"RAM {', '.join(self.ram)}",)
        if self.hide_map:
            return (f"top {self.top:.0%} of {self.hide_map} hidden",)
        return tuple(f"{region} hidden" for region in self.hide)

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of all arms, untouched first, each changed one before its random twin."""
        names = [UNTOUCHED]
        for change in self.changes:
            names += [change, random_twin(change)] if self.random and not self.ram else [change]
        return tuple(names)


@dataclass(frozen=True, kw_only=True)
class PlayOn:
    """From where and how long the arms play, and how often.

    Raises:
        InvalidArgument: a number out of range.
    """

    episode: int = 0
    """Episode that is replayed up to the first step; of no account for whole games."""
    start: FirstStep = 0
    """Step at which the change begins; 0 with --for whole plays whole games from the start."""
    steps: Decisions = 0
    """Decisions to play on, or whole for the rest of the game, which is 0 in Python."""
    repeats: int = 20
    """Pairs of games or continuations."""

    def __post_init__(self) -> None:
        least = {"episode": 0, "start": 0, "steps": 0, "repeats": 1}
        for name, low in least.items():
            check_count(name, getattr(self, name), low)

    @property
    def whole_games(self) -> bool:
        """Whether new games are played from their starts."""
        return self.start == 0 and self.steps == 0
