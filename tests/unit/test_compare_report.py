"""The report: what it says, that it is escaped and self-contained, and a real browser's word."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from agentlens.comparison.comparison import Comparison
from agentlens.comparison.figures import differences_figure, shift_figure, shift_limit
from agentlens.comparison.report import LARGEST_PAGE, Picture, file_name, png, write_report
from agentlens.comparison.words import interval_text, number, percent, summary
from agentlens.drawing.side_by_side import COLOURS
from agentlens.drawing.theme import DARK
from agentlens.drawing.video import VideoWriter
from agentlens.store.tables import read_table
from tests.compare_report_samples import comparison
from tests.compare_samples import SCREEN

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = '</title><script>document.title="owned"</script><img src=x onerror=alert(1)>&"\'ünï'


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return comparison(tmp_path_factory.mktemp("two"))


def written(found: Comparison, folder: Path) -> Path:
    screen = np.full((*SCREEN, 3), 60, np.uint8)
    with VideoWriter(folder / "side_by_side.mp4", force=True) as video:
        for shade in range(30):
            video.write(np.full((64, 96, 3), 5 * shade, np.uint8), 4)
    pictures = [
        Picture(moment=m, pixels=np.full((42, 64, 3), 90, np.uint8), video="same_states.mp4#t=3")
        for m in found.moments
    ]
    return write_report(
        found,
        folder,
        screen_shape=SCREEN,
        pictures=pictures,
        screens=dict.fromkeys(found.labels, screen),
        videos={"side_by_side.mp4": "own episodes"},
    )


def test_summary_says_both_returns_the_interval_and_the_agreement(two: Comparison) -> None:
    said = summary(two)
    assert re.match(
        r"late returns [\d.]+ against [\d.]+ of early \(\+[\d.]+, 95 % interval [\d.]+ to [\d.]+, "
        r"6 paired seeds\); they choose the same action in \d+ % of ",
        said,
    )


def test_summary_says_when_it_cannot_tell(two: Comparison) -> None:
    unclear = dataclasses.replace(two.differences[0], verdict="cannot tell")
    assert "cannot tell which returns more" in summary(
        dataclasses.replace(two, differences=(unclear,))
    )


def test_page_is_one_file_without_script_or_request(two: Comparison, tmp_path: Path) -> None:
    text = written(two, tmp_path).read_text()
    assert "<script" not in text
    assert re.search(r"https?://(?!www\.w3\.org/2000/svg)", text) is None
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(s.startswith(("data:image/png;base64,", "#", "s")) for s in sources)
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text


class Tags(HTMLParser):
    """Names of all elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_no_string_becomes_markup(tmp_path: Path) -> None:
    hostile = comparison(tmp_path / "games", (HOSTILE + "1", HOSTILE + "2", HOSTILE + "3"))
    hostile = dataclasses.replace(hostile, notes=(HOSTILE,))
    (tmp_path / "out").mkdir()
    tags = Tags()
    tags.feed(written(hostile, tmp_path / "out").read_text())
    assert "script" not in tags.names
    assert not {a for a in tags.attributes if a.startswith("on")}
    for figure in (tmp_path / "out" / "figures").glob("*.svg"):
        assert "<script" not in figure.read_text()
        assert figure.parent == tmp_path / "out" / "figures"


def test_json_and_tables_hold_the_same_numbers(two: Comparison, tmp_path: Path) -> None:
    written(two, tmp_path)
    data = json.loads((tmp_path / "report.json").read_text())
    columns, made = read_table(tmp_path / "tables" / "differences")
    assert data["differences"][0]["difference"]["estimate"] == columns["difference"][0]
    assert columns["difference_low"][0] < columns["difference"][0] < columns["difference_high"][0]
    assert made["seed"] == 0
    assert len(read_table(tmp_path / "tables" / "episodes")[0]["return"]) == 12
    assert (tmp_path / "tables" / "behaviour.csv").exists()
    assert {p.suffix for p in (tmp_path / "figures").iterdir()} == {".svg", ".png"}
    assert data["summary"] == summary(two)


def test_the_header_has_the_badges_of_every_agent_and_their_numbers_behind_them(
    two: Comparison, tmp_path: Path
) -> None:
    text = written(two, tmp_path).read_text()
    header = text[text.index("<header") : text.index("</header>")]
    assert header.count("<details>") == 2
    assert "sanity: fail" in header
    assert header.count("not measured</span>") == 3 + 4
    assert "0.80 without output layer" in header
    assert "0.75 to 0.84" in header
    assert "Nothing was measured of these maps" in header
    without = written(dataclasses.replace(two, trust=()), tmp_path).read_text()
    assert 'class="badges"' not in without


def test_a_page_that_would_be_too_large_leaves_out_stills(
    two: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LARGEST_PAGE == 10_000_000
    whole = written(two, tmp_path).read_text()
    limit = len(whole) - 200
    monkeypatch.setattr("agentlens.comparison.report.LARGEST_PAGE", limit)
    smaller = written(two, tmp_path).read_text()
    assert len(smaller.encode()) <= limit
    assert smaller.count("<img") == whole.count("<img") - 1


def test_more_agents_get_curves_over_their_order_and_a_count_of_clear_differences(
    tmp_path: Path,
) -> None:
    found = comparison(tmp_path / "games", ("one", "two", "four"))
    (tmp_path / "out").mkdir()
    text = written(found, tmp_path / "out").read_text()
    assert "In the order given, mean returns are one" in summary(found)
    assert "of 3 differences" in summary(found).lower()
    assert (tmp_path / "out" / "figures" / "order-return.svg").exists()
    assert "Same greedy action as four" in text


def test_long_names_push_the_verdict_to_a_line_of_its_own(two: Comparison) -> None:
    short = dataclasses.replace(two.differences[0], verdict="cannot tell")
    long = dataclasses.replace(short, first="breakout-ppo-ladder-1", second="breakout-ppo-ladder-2")
    assert 'dy="17"' not in differences_figure([short])
    assert "cannot tell" in differences_figure([short])
    assert 'dy="17"' in differences_figure([long])
    longest = dataclasses.replace(long, first="x" * 60)
    assert "x" * 60 not in differences_figure([longest])


def test_the_summary_of_many_does_not_list_every_pair(tmp_path: Path) -> None:
    four = comparison(tmp_path, ("a", "b", "c", "d"))
    unclear = [dataclasses.replace(d, verdict="cannot tell") for d in four.differences]
    told = summary(dataclasses.replace(four, differences=tuple(unclear)))
    assert "cannot tell 6 pairs apart" in told
    assert "a from b" not in told


def test_numbers_are_written_for_people() -> None:
    assert (number(0.0), number(-0.0004), number(2.5e-9)) == ("0", "-0.00040", "0")
    assert number(float("nan")) == "-"
    assert percent(1.0) == "100 %"
    assert percent(0.996) == "99.6 %"
    assert interval_text(None) == "-"
    assert file_name("../../etc/passwd") == "etc-passwd"


def test_png_of_few_colours_is_exact() -> None:
    pixels = np.random.default_rng(0).integers(0, 4, (20, 20, 3)).astype(np.uint8) * 80
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(pixels))).convert("RGB")), pixels)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium at /usr/bin/chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
            ],
        )
        yield found
        found.close()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (640, "dark"), (360, "light")])
def test_page_in_a_real_browser(
    browser: Browser, two: Comparison, tmp_path: Path, width: int, scheme: str
) -> None:
    """640 CSS pixels are 1280 at 200 % zoom: nothing may be cut off or need sideways scrolling."""
    path = written(two, tmp_path)
    view = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    asked, complaints = [], []
    view.on("request", lambda request: asked.append(request.url))
    view.on("console", lambda message: complaints.append(message.text))
    view.goto(path.as_uri())
    beside = {path.as_uri(), (path.parent / "side_by_side.mp4").as_uri()}
    assert {u for u in asked if not u.startswith("data:")} == beside
    assert complaints == []
    assert view.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    broken = "[...document.images].filter(i => !(i.complete && i.naturalWidth)).length"
    assert view.evaluate(broken) == 0
    view.keyboard.press("Tab")
    assert view.evaluate("document.activeElement.textContent") == "Skip to the results"
    for _ in range(12):
        view.keyboard.press("Tab")
    assert view.evaluate("document.activeElement.tagName") in ("A", "VIDEO", "SUMMARY")
    view.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 400])
def test_a_click_on_the_badges_shows_their_numbers(
    browser: Browser, two: Comparison, tmp_path: Path, width: int
) -> None:
    view = browser.new_page(viewport={"width": width, "height": 800})
    view.goto(written(two, tmp_path).as_uri())
    numbers = view.get_by_text("0.80 without output layer").first
    assert view.get_by_text("sanity: fail").first.is_visible()
    assert not numbers.is_visible()
    view.click(".badges summary >> nth=0")
    assert numbers.is_visible()
    assert view.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    view.close()


@pytest.mark.browser
def test_videos_play_in_the_page(browser: Browser, two: Comparison, tmp_path: Path) -> None:
    view = browser.new_page()
    view.goto(written(two, tmp_path).as_uri())
    view.evaluate("document.querySelector('video').play()")
    played = "document.querySelector('video').currentTime"
    for _ in range(100):
        if view.evaluate(played) > 0.1:
            break
        view.wait_for_timeout(100)
    assert view.evaluate(played) > 0.1
    top = "e => e.getBoundingClientRect().top"
    assert view.eval_on_selector("#videos", top) < view.eval_on_selector("#returns", top)
    view.close()


@pytest.mark.browser
def test_chart_text_is_readable_on_a_phone(
    browser: Browser, two: Comparison, tmp_path: Path
) -> None:
    view = browser.new_page(viewport={"width": 400, "height": 800})
    view.goto(written(two, tmp_path).as_uri())
    sizes = view.evaluate(
        "[...document.querySelectorAll('#returns svg')].flatMap(svg => {"
        "const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;"
        "return [...svg.querySelectorAll('text')].map("
        "t => scale * parseFloat(getComputedStyle(t).fontSize))})"
    )
    assert len(sizes) > 10
    assert min(sizes) >= 10
    view.close()


@pytest.mark.browser
def test_nothing_is_lost_on_printed_a4(browser: Browser, tmp_path: Path) -> None:
    """A page of A4 less its margins is 688 CSS pixels wide; what is folded is printed open."""
    labels = ("a-checkpoint-of-128000-steps", "b-checkpoint-of-256000-steps", "c")
    path = comparison(tmp_path / "games", labels)
    (tmp_path / "out").mkdir()
    view = browser.new_page(viewport={"width": 688, "height": 1000})
    view.emulate_media(media="print")
    view.goto(written(path, tmp_path / "out").as_uri())
    assert view.evaluate("document.documentElement.scrollWidth") <= 688
    wide = "[...document.querySelectorAll('th, td, summary, figcaption, svg, img')].filter("
    assert view.evaluate(wide + "e => e.getBoundingClientRect().right > 689).length") == 0
    assert view.evaluate("document.querySelectorAll('details[open]').length") == 0
    heights = "[...document.querySelectorAll('details > *:not(summary)')].map(e => e.clientHeight)"
    assert min(view.evaluate(heights)) > 10
    view.close()


@pytest.mark.browser
def test_hostile_names_run_nothing_in_a_real_browser(browser: Browser, tmp_path: Path) -> None:
    hostile = comparison(tmp_path / "games", (HOSTILE + "1", HOSTILE + "2"))
    (tmp_path / "out").mkdir()
    view = browser.new_page()
    view.goto(written(hostile, tmp_path / "out").as_uri())
    assert view.title() != "owned"
    assert view.evaluate("document.querySelectorAll('script, [onerror]').length") == 0
    view.close()


def test_no_agent_has_the_colour_of_a_target() -> None:
    for agent in COLOURS:
        for accent in DARK.accents.values():
            assert np.abs(np.subtract(agent, accent)).max() >= 40


def test_a_small_shift_is_drawn_faint_on_a_scale_with_numbers(two: Comparison) -> None:
    """0.43 percentage points on a scale that ends at 1 have 43 % of the strongest colour."""
    small = np.zeros_like(two.shifts[0].shift)
    small[2, 2], small[5, 5] = 0.0043, -0.0043
    shift = dataclasses.replace(two.shifts[0], shift=small)
    limit = shift_limit([shift])
    assert limit == 0.01
    drawn = shift_figure(shift, SCREEN, places=(0, 1), limit=limit)
    cells, scale = drawn.split(f'<rect y="{SCREEN[0]}"')
    opacities = {float(o) for o in re.findall(r"fill-opacity:([0-9.]+)", cells)}
    assert opacities == {round(0.85 * 0.43, 2)}
    assert re.findall(r">([0-9.]+)</text>", scale) == ["1", "0.5", "0", "0.5", "1"]
    assert shift_limit(two.shifts) >= max(abs(s.shift).max() for s in two.shifts)


def test_agents_that_look_at_the_same_places_are_said_to(two: Comparison) -> None:
    alike = [dataclasses.replace(s, gain=0.01, other_gain=0.02) for s in two.shifts]
    text = summary(dataclasses.replace(two, shifts=tuple(alike)))
    assert "they look at the same places" in text
    assert "differs by 2.00 percentage points at most" in text
    moved = [dataclasses.replace(s, gain=0.01, other_gain=0.2) for s in two.shifts]
    text = summary(dataclasses.replace(two, shifts=tuple(moved)))
    assert "early's choices depend more on" in text
