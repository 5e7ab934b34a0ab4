"""Freeway: both chickens, and the car of each of the ten lanes."""

from __future__ import annotations

from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact

_ROAD = (16, 195, 8, 160)
_COLOURS = (66, 220, 18, 74, 130, 36, 136, 68, 216, 26)
"""Of the lanes' cars, from the top."""


def _car(lane: int) -> ObjectFact:
    """The upper five lanes count their place from the right, the lower five from the left."""
    leftwards = lane < 5
    return ObjectFact(
        name=f"car {lane + 1}",
        x=Byte(address=108 + lane, scale=-1, offset=157)
        if leftwards
        else Byte(address=117 - lane, offset=-3),
        y=28 + 16 * lane,
        width=8,
        height=8,
        colours=(_COLOURS[lane],),
        area=(24 + 16 * lane, 40 + 16 * lane, 8, 160),
    )


OBJECTS = GameObjects(
    game="freeway",
    objects=(
        ObjectFact(
            name="chicken",
            x=44,
            y=Byte(address=14, scale=-1, offset=193),
            width=6,
            height=8,
            colours=(30,),
            area=(16, 195, 40, 54),
        ),
        ObjectFact(
            name="other chicken",
            x=108,
            y=Byte(address=15, scale=-1, offset=193),
            width=6,
            height=8,
            colours=(30,),
            area=(16, 195, 104, 118),
        ),
        *(_car(lane) for lane in range(10)),
        ObjectFact(
            name="score", x=40, y=5, width=90, height=10, colours=(74,), rigid=False, reach=0
        ),
    ),
    own="chicken",
    threats=tuple(f"car {lane + 1}" for lane in range(10)),
    backdrop=6,
    sources=(
        "addresses: AtariARI (Anand et al. 2019), ram_annotations",
        "offsets, sizes and colours: measured on the cartridge that ale-py 0.12 ships",
    ),
)
