"""Seaquest: submarine, torpedo, four lanes of enemies and divers, oxygen, score and lives."""

from __future__ import annotations

from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact, When

_SEA = (45, 155, 8, 160)
_WATER = (144, 146, 0)
_YELLOW, _DIVER, _OXYGEN = 24, 134, 12


def _lane(lane: int) -> tuple[ObjectFact, ObjectFact]:
    """What swims in a lane, from the bottom: up to three enemies, and a diver or a missile."""
    top = 141 - 24 * lane
    area = (top - 4, top + 14, 8, 160)
    enemies = ObjectFact(
        name=f"enemies lane {lane + 1}",
        group="enemies",
        x=8,
        y=top - 4,
        width=152,
        height=18,
        other_than=(*_WATER, _YELLOW, _DIVER, 160, 176, 192),
        area=area,
        rigid=False,
        reach=0,
    )
    diver = ObjectFact(
        name=f"diver lane {lane + 1}",
        group="divers",
        x=Byte(address=71 + lane),
        y=top - 4,
        width=8,
        height=14,
        colours=(_DIVER,),
        area=area,
        present=(When(address=71 + lane, least=1, most=160),),
        rigid=False,
        alone=True,
    )
    return diver, enemies


OBJECTS = GameObjects(
    game="seaquest",
    objects=(
        ObjectFact(
            name="torpedo",
            x=Byte(address=103),
            y=Byte(address=97, offset=39),
            width=8,
            height=3,
            colours=(_YELLOW,),
            area=_SEA,
            present=(When(address=103, least=1, most=160),),
            rigid=False,
            reach=12,
        ),
        ObjectFact(
            name="submarine",
            x=Byte(address=70),
            y=Byte(address=97, offset=32),
            width=16,
            height=11,
            colours=(_YELLOW,),
            area=_SEA,
            rigid=False,
        ),
        *(fact for lane in range(4) for fact in _lane(lane)),
        ObjectFact(
            name="oxygen",
            x=49,
            y=170,
            width=63,
            height=5,
            colours=(_OXYGEN,),
            rigid=False,
            reach=1,
        ),
        ObjectFact(
            name="score", x=60, y=9, width=50, height=9, colours=(26,), rigid=False, reach=0
        ),
        ObjectFact(
            name="lives", x=58, y=22, width=60, height=9, colours=(26,), rigid=False, reach=0
        ),
    ),
    own="submarine",
    threats=("enemies",),
    backdrop=144,
    sources=(
        "addresses: AtariARI (Anand et al. 2019), ram_annotations",
        "addresses of lanes: OCAtari (Delfosse et al. 2023)",
        "offsets, sizes and colours: measured on the cartridge that ale-py 0.12 ships",
    ),
    notes=(
        "enemies are found by lane and colour: their places in RAM depend on a pattern byte",
        "a diver's byte is also that of an enemy's missile",
    ),
)
