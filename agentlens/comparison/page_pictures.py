"""The report's pictures: videos, curves over training, mass shifts, stills of moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentlens.comparison.comparison import Comparison
from agentlens.comparison.html_parts import Html, element, folded, image, join, picture, video
from agentlens.comparison.mass import MassShift
from agentlens.comparison.moments import MEANINGS, Kind, Moment
from agentlens.comparison.words import WORTH_SAYING, number

_KINDS: dict[Kind, str] = {
    "policy": "Where they choose differently",
    "value": "Where they value differently",
    "maps": "Where they look differently",
    "random": "At random",
}
_SHIFTS = (
    "Coloured cells: where one agent's maps have more of their mass than the other's, in that "
    "agent's colour; the bar says how much, in percentage points of all mass a cell. All pictures "
    "here share its scale."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Still:
    """A moment's picture: ``uri`` a data URI, ``video`` a link ("same_states.mp4#t=3.2") or ""."""

    moment: Moment
    uri: str
    video: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Everything drawn for the page: SVG by name and group, stills, and what each video shows."""

    returns: str
    differences: str
    training: Mapping[str, str]
    shifts: Sequence[str]
    stills: Sequence[Still]
    videos: Mapping[str, str]


def videos_section(drawn: Drawn) -> Html:
    """The videos beside the page, to be played in it."""
    players = [video(name, meaning) for name, meaning in drawn.videos.items()]
    return element("div", *players, class_="videos") if players else Html("")


def training_section(drawn: Drawn) -> Html:
    """Curves over the order of the agents."""
    if not drawn.training:
        return Html("")
    figures = [element("figure", Html(figure)) for figure in drawn.training.values()]
    lead = "Agents from left to right as they were given; bands are 95 % intervals."
    return join([element("p", lead), element("div", *figures, class_="figures")])


def shifts_part(comparison: Comparison, drawn: Drawn) -> Html:
    """Where the mass of the maps moves; nothing where there are no maps."""
    if not comparison.shifts:
        return Html("")
    shown = zip(drawn.shifts, comparison.shifts, strict=True)
    figures = [picture(figure, _shift_words(shift)) for figure, shift in shown]
    return join([element("p", _SHIFTS), element("div", *figures, class_="shifts")])


def moments_section(drawn: Drawn) -> Html:
    """Every still, folded under the line that tells it."""
    parts: list[str] = []
    for kind, title in _KINDS.items():
        stills = [s for s in drawn.stills if s.moment.kind == kind]
        if not stills:
            continue
        where = "States" if kind == "random" else "States where"
        parts += [
            element("h3", title),
            element("p", f"{where} {MEANINGS[kind]}.", class_="quiet"),
            *(_still(s) for s in stills),
        ]
    return join(parts)


def moment_line(moment: Moment) -> str:
    """A moment told: what each agent would do, how far apart they are, and where it is."""
    amount = "" if moment.kind == "random" else f" ({moment.measure} {number(moment.amount)})"
    return (
        f"{moment.first} {moment.first_choice}, {moment.second} {moment.second_choice}{amount} · "
        f"{moment.states_of}'s game {moment.episode}, step {moment.step}"
    )


def _still(still: Still) -> Html:
    line = moment_line(still.moment)
    link = element("p", element("a", "in the video", href=still.video)) if still.video else ""
    shown = image(still.uri, f"{line}: the screen with both agents' maps and action probabilities")
    return folded(line, join([shown, link]))


def _shift_words(shift: MassShift) -> str:
    told = f"{shift.role}, on {shift.states_of}'s states: "
    if max(gain.share for gain in shift.gains) < WORTH_SAYING:
        return told + "they look at the same places"
    return told + "; ".join(
        f"{gain.agent}'s maps have {number(100 * gain.share)} percentage points more of their mass "
        f"in the {gain.region}"
        for gain in shift.gains
        if gain.share >= WORTH_SAYING
    )
