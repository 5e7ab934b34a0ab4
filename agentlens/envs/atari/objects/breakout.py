"""Breakout: paddle, ball, the wall of bricks as a whole, and the numbers on top."""

from __future__ import annotations

from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact, When

_ROWS = (70, 54, 38, 22, 198, 134)
_COURT = (32, 196, 8, 152)

OBJECTS = GameObjects(
    game="breakout",
    objects=(
        ObjectFact(
            name="paddle",
            x=Byte(address=72, offset=-47),
            y=189,
            width=16,
            height=4,
            colours=(70,),
            area=(189, 193, 8, 152),
            reach=24,
        ),
        ObjectFact(
            name="ball",
            x=Byte(address=99, offset=-49),
            y=Byte(address=101, offset=9),
            width=2,
            height=4,
            colours=_ROWS,
            area=_COURT,
            present=(When(address=101, least=1),),
        ),
        ObjectFact(
            name="bricks",
            x=8,
            y=57,
            width=144,
            height=36,
            colours=_ROWS,
            area=(57, 93, 8, 152),
            rigid=False,
            reach=0,
        ),
        ObjectFact(
            name="score", x=36, y=5, width=44, height=10, colours=(6,), rigid=False, reach=0
        ),
        ObjectFact(
            name="lives", x=96, y=5, width=16, height=10, colours=(6,), rigid=False, reach=0
        ),
    ),
    own="paddle",
    threats=("ball",),
    backdrop=0,
    sources=(
        "addresses: AtariARI (Anand et al. 2019), ram_annotations",
        "offsets, sizes and colours: measured on the cartridge that ale-py 0.12 ships",
    ),
    notes=("inside the wall the ball takes the bricks' colours and is found by its RAM box",),
)
