"""Q*bert: himself, what is purple, green or orange on the cubes, the discs, score and lives.

The cubes are the background. Heights are nowhere in RAM as pixels, so most is found by colour.
"""

from __future__ import annotations

from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact

_BOARD = (20, 206, 0, 160)


def _by_colour(name: str, colour: int) -> ObjectFact:
    return ObjectFact(
        name=name,
        x=0,
        y=_BOARD[0],
        width=160,
        height=_BOARD[1] - _BOARD[0],
        colours=(colour,),
        area=_BOARD,
        rigid=False,
        reach=0,
    )


def _disc(name: str, x: int) -> ObjectFact:
    return ObjectFact(
        name=name,
        group="discs",
        x=x,
        y=138,
        width=8,
        height=2,
        other_than=(0,),
        rigid=False,
        reach=0,
    )


OBJECTS = GameObjects(
    game="qbert",
    objects=(
        _disc("left disc", 12),
        _disc("right disc", 140),
        ObjectFact(
            name="Q*bert",
            x=Byte(address=43, offset=-6),
            y=8,
            width=14,
            height=_BOARD[1] - 8,
            colours=(52,),
            area=(8, 206, 0, 160),
            rigid=False,
            reach=8,
        ),
        _by_colour("purple one", 102),
        _by_colour("green one", 196),
        _by_colour("orange one", 44),
        ObjectFact(
            name="score", x=30, y=6, width=50, height=8, colours=(26,), rigid=False, reach=0
        ),
        ObjectFact(
            name="lives", x=30, y=16, width=60, height=14, colours=(26,), rigid=False, reach=0
        ),
    ),
    own="Q*bert",
    threats=("purple one",),
    backdrop=0,
    sources=(
        "addresses: AtariARI (Anand et al. 2019), ram_annotations",
        "offsets, sizes and colours: measured on the cartridge that ale-py 0.12 ships",
    ),
    notes=(
        "the purple one is the ball or Coily, the green one Sam or the green ball",
        "two of one colour share a box",
    ),
)
