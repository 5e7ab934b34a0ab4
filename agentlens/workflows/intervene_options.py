"""What an intervention is: plain dataclasses that the Python API and the flags share."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.counts import check_count
from agentlens.errors import InvalidArgument

UNTOUCHED = "untouched"


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
    """Regions of the screen to hide, each in an arm of its own: 'rows,columns' such as
    34:194,16:144, or a name such as court; + joins several into one."""
    hide_map: str | None = None
    """A saliency method; the top of its map at each step is hidden."""
    top: float = 0.05
    """Share of the observation's pixels that the top of a map is, 0 to 1."""
    ram: tuple[str, ...] = ()
    """Emulator bytes to hold: NAME=freeze, NAME=VALUE or ADDRESS=VALUE."""
    fill: str = "median"
    """What hides a region: median (the recording's background), blur[:sigma], noise[:seed] or
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
    """Episode that is replayed up to the start; of no account for whole games."""
    start: int = 0
    """Step at which the change begins."""
    steps: int = 0
    """Decisions to play on; 0 for the whole rest of the game. With start 0: whole games of the
    recording's seed, paired."""
    repeats: int = 20
    """Pairs of continuations, or of whole games."""

    def __post_init__(self) -> None:
        least = {"episode": 0, "start": 0, "steps": 0, "repeats": 1}
        for name, low in least.items():
            check_count(name, getattr(self, name), low)

    @property
    def whole_games(self) -> bool:
        """Whether new games are played from their starts."""
        return self.start == 0 and self.steps == 0
