"""Boxing: both boxers, score and clock."""

from __future__ import annotations

from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact

_RING = (36, 178, 32, 128)

OBJECTS = GameObjects(
    game="boxing",
    objects=(
        ObjectFact(
            name="own boxer",
            x=Byte(address=32, offset=-11),
            y=Byte(address=63, offset=38),
            width=46,
            height=48,
            colours=(12,),
            area=_RING,
            rigid=False,
            alone=True,
        ),
        ObjectFact(
            name="opponent",
            x=Byte(address=33, offset=-13),
            y=Byte(address=64, offset=37),
            width=46,
            height=48,
            colours=(0,),
            area=_RING,
            rigid=False,
            alone=True,
        ),
        ObjectFact(
            name="score", x=32, y=5, width=90, height=8, colours=(12, 0), rigid=False, reach=0
        ),
        ObjectFact(
            name="clock", x=60, y=17, width=36, height=8, colours=(208,), rigid=False, reach=0
        ),
    ),
    own="own boxer",
    threats=("opponent",),
    backdrop=214,
    sources=(
        "addresses: AtariARI (Anand et al. 2019), ram_annotations",
        "offsets, sizes and colours: measured on the cartridge that ale-py 0.12 ships",
    ),
    notes=("arms reach out: the RAM box is where a boxer's pixels can be, not their outline",),
)
