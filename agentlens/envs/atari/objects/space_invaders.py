"""Space Invaders: cannon, shields, the rows of invaders, bombs, shot, saucer and score."""

from __future__ import annotations

from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact, When

_FIELD = (20, 195, 0, 160)
_MISSILE = (6,)


def _row(row: int) -> ObjectFact:
    """A row of up to six invaders, from the top; a bit of RAM for each."""
    return ObjectFact(
        name=f"invaders row {row + 1}",
        group="invaders",
        x=0,
        y=Byte(address=16, scale=2, offset=31 + 18 * row),
        width=160,
        height=10,
        colours=(20,),
        area=_FIELD,
        present=(When(address=23 - row, least=1, mask=63),),
        rigid=False,
        reach=2,
    )


def _missile(name: str, group: str, y_address: int, x_address: int) -> ObjectFact:
    return ObjectFact(
        name=name,
        group=group,
        x=Byte(address=x_address, offset=-2),
        y=Byte(address=y_address, scale=2, offset=1),
        width=1,
        height=14,
        colours=_MISSILE,
        reach=10,
        area=_FIELD,
        rigid=False,
    )


OBJECTS = GameObjects(
    game="space_invaders",
    objects=(
        ObjectFact(
            name="cannon",
            x=Byte(address=28, offset=-1),
            y=185,
            width=7,
            height=10,
            colours=(196,),
            area=(185, 195, 0, 160),
            alone=True,
        ),
        _missile("shot", "shot", 85, 87),
        _missile("bomb 1", "bombs", 81, 83),
        _missile("bomb 2", "bombs", 82, 84),
        *(_row(row) for row in range(6)),
        *(
            ObjectFact(
                name=f"shield {place + 1}",
                group="shields",
                x=42 + 32 * place,
                y=157,
                width=8,
                height=18,
                colours=(52,),
                rigid=False,
                reach=0,
            )
            for place in range(3)
        ),
        ObjectFact(
            name="saucer",
            x=Byte(address=30, offset=-1),
            y=12,
            width=7,
            height=8,
            colours=(82, 84, 80),
            area=(10, 22, 0, 160),
            rigid=False,
        ),
        ObjectFact(
            name="score",
            x=4,
            y=10,
            width=140,
            height=10,
            colours=(196, 246),
            rigid=False,
            reach=0,
        ),
        ObjectFact(
            name="lives", x=84, y=185, width=14, height=10, colours=(246,), rigid=False, reach=2
        ),
    ),
    own="cannon",
    threats=("bombs", "invaders"),
    backdrop=0,
    sources=(
        "addresses: AtariARI (Anand et al. 2019), ram_annotations",
        "addresses of missiles and rows: OCAtari (Delfosse et al. 2023)",
        "offsets, sizes and colours: measured on the cartridge that ale-py 0.12 ships",
    ),
    notes=("a missile that has hit keeps its place in RAM: it is then present and not drawn",),
)
