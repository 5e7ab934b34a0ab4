"""Pong: both paddles, the ball and the two numbers of the score."""

from __future__ import annotations

from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact, When

_COURT = (34, 194, 0, 160)

OBJECTS = GameObjects(
    game="pong",
    objects=(
        ObjectFact(
            name="own paddle",
            x=140,
            y=Byte(address=51, offset=-13),
            width=4,
            height=16,
            colours=(200,),
            area=_COURT,
            alone=True,
        ),
        ObjectFact(
            name="opponent",
            x=16,
            y=Byte(address=50, offset=-15),
            width=4,
            height=16,
            colours=(56,),
            area=_COURT,
            alone=True,
            present=(When(address=50, least=20),),
        ),
        ObjectFact(
            name="ball",
            x=Byte(address=49, offset=-49),
            y=Byte(address=54, offset=-14),
            width=2,
            height=4,
            colours=(14,),
            area=_COURT,
            alone=True,
            present=(When(address=54, least=1),),
        ),
        ObjectFact(
            name="opponent's score",
            group="score",
            x=16,
            y=1,
            width=48,
            height=20,
            colours=(56,),
            rigid=False,
        ),
        ObjectFact(
            name="own score",
            group="score",
            x=96,
            y=1,
            width=48,
            height=20,
            colours=(200,),
            rigid=False,
        ),
    ),
    own="own paddle",
    threats=("ball",),
    backdrop=34,
    sources=(
        "addresses: AtariARI (Anand et al. 2019), ram_annotations",
        "offsets, sizes and colours: measured on the cartridge that ale-py 0.12 ships",
    ),
)
