"""Words on pictures: what is left out is left out whole."""

from __future__ import annotations

from agentlens.drawing.text import SMALL, shortened_facts, text_width


def test_facts_are_left_out_whole_and_the_reader_is_told() -> None:
    facts = "ALE/Pong-v5 · frame skip 4 · known score 19.5"
    assert shortened_facts(facts, SMALL, 600) == facts
    room = text_width(facts, SMALL) - 1
    assert shortened_facts(facts, SMALL, room) == "ALE/Pong-v5 · frame skip 4 · …"
    assert shortened_facts(facts, SMALL, 40).endswith("…")
    assert text_width(shortened_facts(facts, SMALL, 40), SMALL) <= 40
    assert shortened_facts(facts, SMALL, -5) == ""
