"""Ms. Pac-Man: herself, the four ghosts, the fruit, score and lives."""

from __future__ import annotations

from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact

_MAZE = (2, 171, 0, 160)


def _ghost(name: str, x: int, y: int, colour: int) -> ObjectFact:
    return ObjectFact(
        name=name,
        x=Byte(address=x, offset=-13),
        y=Byte(address=y, offset=0),
        width=10,
        height=12,
        colours=(colour,),
        area=_MAZE,
        rigid=False,
        alone=True,
    )


OBJECTS = GameObjects(
    game="ms_pacman",
    objects=(
        ObjectFact(
            name="Ms. Pac-Man",
            x=Byte(address=10, offset=-13),
            y=Byte(address=16, offset=0),
            width=10,
            height=12,
            colours=(42,),
            area=_MAZE,
            rigid=False,
            alone=True,
        ),
        _ghost("Sue", 6, 12, 38),
        _ghost("Inky", 7, 13, 184),
        _ghost("Pinky", 8, 14, 88),
        _ghost("Blinky", 9, 15, 70),
        ObjectFact(
            name="score", x=60, y=186, width=50, height=9, colours=(40,), rigid=False, reach=0
        ),
        ObjectFact(
            name="lives", x=8, y=173, width=60, height=10, colours=(24,), rigid=False, reach=0
        ),
    ),
    own="Ms. Pac-Man",
    threats=("Sue", "Inky", "Pinky", "Blinky"),
    backdrop=144,
    sources=(
        "addresses: AtariARI (Anand et al. 2019), ram_annotations",
        "offsets, sizes and colours: measured on the cartridge that ale-py 0.12 ships",
    ),
    notes=(
        "ghosts share sprites and blink: present and not drawn on many screens",
        "RAM is up to two pixels ahead of the screen",
        "frightened ghosts have other colours: present and not drawn",
    ),
)
