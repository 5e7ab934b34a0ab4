"""Frozen descriptions: what an agent is, what it sees, where it plays.

Nothing here imports anything heavy, touches a file or guesses. Every value that a weight file
cannot say has a field; ``mapping`` turns these classes into TOML and JSON and back.

Shape letters used throughout agentlens::

    B observations in a batch    K stacked planes, oldest first    M masks
    H W observation rows, columns    Y X native screen rows, columns (210, 160)
    C channels    A actions    S recurrent state    T time (steps)

Coordinates: index ``i`` names the centre of pixel ``i``; edges lie at ``i - 0.5`` and ``i + 0.5``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentlens.errors import InvalidArgument
from agentlens.layer_spec import NetworkSpec
from agentlens.printable import controls

SCREEN_SHAPE = (210, 160)
"""Rows and columns of ALE's native screen (some games are 250 high: the recording says)."""

_ONCE_FLAT = ("full_action_space", "mode", "difficulty", "step_frames")
"""Options that may stand beside the settings that every world has."""

MOST_FRAMES = 256
LARGEST_PLANE = 4096
"""Of an observation; more is a slip or a lie, and would not fit into memory."""

LONGEST_FRAME_SKIP = 600
"""Ten seconds of play: a larger number is a slip, and would hang."""


_LONGEST_PHASE = 10_000
"""Nearly three minutes of frames, or more of decisions: a larger number is a slip."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Forced actions at the start of an episode or after a lost life.

    ``action`` is an ALE meaning ("NOOP", "FIRE", "RIGHT") or ``"#2"`` for the third of the
    environment's action set. It is repeated n times, n drawn uniformly from ``least`` to
    ``most``, both included. ``unit``: "frame" advances one emulator frame each, "decision" a
    whole frame skip. ``when``: "" for always, "FIRE" only where the environment has that action,
    "no FIRE" only where it lacks it.
    """

    action: str
    least: int = 1
    most: int = 1
    unit: Literal["frame", "decision"] = "frame"
    when: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most <= _LONGEST_PHASE:
            raise InvalidArgument(
                f"a phase of {self.least} to {self.most} {self.action}: "
                f"expected 0 <= least <= most <= {_LONGEST_PHASE}."
            )


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """A world's settings and the rules around it, with nothing left to a default.

    ``kind``: whose world it is, a name of ``envs.base.ENVIRONMENTS``. ``game``: what is played;
    agents of one game can be compared. ``frame_skip``: emulator frames of a decision, drawn
    uniformly from the closed range each time.
    ``repeat_action_probability``: sticky actions. ``start`` and ``after_life_loss``: forced
    phases. ``stack_after_life_loss``: what happens to the frame stack then.
    ``terminal_on_life_loss`` records the training protocol; a recorded episode is always a
    whole game. ``max_frames``: ticks after which the game is truncated, 0 for never.
    ``options``: what only its kind has, as plain values.
    """

    id: str
    kind: str = "atari"
    game: str
    frame_skip: tuple[int, int]
    repeat_action_probability: float
    start: tuple[Phase, ...] = ()
    after_life_loss: tuple[Phase, ...] = ()
    stack_after_life_loss: Literal["keep", "zeros", "repeat"] = "keep"
    terminal_on_life_loss: bool = False
    max_frames: int = 108_000
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """A table as older files and agent.toml write it, in the form of the fields.

        The options of a kind may stand in a table of its name, ``[environment.atari]``, which
        then says the kind, too. (Before there were kinds they stood beside the others.)
        """
        plain = {k: v for k, v in table.items() if k not in _ONCE_FLAT}
        named = [k for k, v in plain.items() if k != "options" and isinstance(v, Mapping)]
        options: dict[str, Any] = {k: table[k] for k in _ONCE_FLAT if k in table}
        if len(named) == 1:
            options |= plain.pop(named[0])
            plain.setdefault("kind", named[0])
        if isinstance(plain.get("options"), Mapping):
            options |= plain["options"]
        return {**plain, "options": options} if options else plain

    def __post_init__(self) -> None:
        low, high = self.frame_skip
        if not 1 <= low <= high <= LONGEST_FRAME_SKIP:
            raise InvalidArgument(
                f"frame_skip {low} to {high}: expected 1 <= lowest <= highest <= "
                f"{LONGEST_FRAME_SKIP}, both included."
            )
        if not 0.0 <= self.repeat_action_probability < 1.0:
            raise InvalidArgument(
                f"repeat_action_probability {self.repeat_action_probability}: expected 0 <= p < 1."
            )
        if self.max_frames < 0:
            raise InvalidArgument(f"max_frames {self.max_frames}: expected 0 (never) or more.")

    @property
    def frame_skip_text(self) -> str:
        """``"4"`` or ``"2-4"``."""
        low, high = self.frame_skip
        return str(low) if low == high else f"{low}-{high}"


@dataclass(frozen=True, kw_only=True)
class ObservationSpec:
    """How screens become what the network sees, step by step in this order.

    ``pool``: "none"; "rgb" takes the maximum of the last two RGB screens of a decision and greys
    it (SB3); "grey" greys both and takes the maximum (``AtariVectorEnv``); "previous_decision"
    takes the RGB maximum of this and the previous decision's last screen.
    ``source``: planes are made from "screen", or from the "environment"'s own image.
    ``channels``: of one frame of the stack: 1, or 3 for RGB, which is never greyed.
    ``grayscale``: "none" (there are 3 channels, or the image is grey), "cv2" (OpenCV's RGB to
    grey, uint8), "cv2-bgr" (the same with red and blue mixed up), "ale" (the emulator's own grey
    palette), "mean" (mean of the three channels, float), or "weights" with ``luma`` (R, G, B).
    ``grey_rounding``: how a float grey becomes uint8 ("float" keeps it).
    ``grey_after_resize``: resize the RGB picture and grey it then (CleanRL).
    ``crop``: rows and columns kept, (top, bottom, left, right), bottom and right excluded.
    ``contrast_stretch``: per frame, minimum to 0 and maximum to 255, rounded half up to uint8.
    ``resize``: (H, W). ``interpolation`` names the library and filter that is matched bit for bit.
    ``plane_rounding``: how a plane that is still float after the resize becomes uint8.
    ``zero``: rectangles of the resized picture set to 0, as ``crop``.
    ``stack``: frames; there are K = stack x channels planes, a frame's channels side by side.
    ``stack_fill``: what the older frames hold at an episode's start.
    ``scale_divisor``: the network gets uint8 / scale_divisor as float32 (255.0 -> [0, 1]).
    """

    pool: Literal["none", "rgb", "grey", "previous_decision"]
    grayscale: Literal["none", "cv2", "cv2-bgr", "ale", "mean", "weights"]
    resize: tuple[int, int]
    interpolation: Literal["cv2-area", "cv2-linear", "cv2-nearest", "pillow-bilinear"]
    stack: int
    source: Literal["screen", "environment"] = "screen"
    channels: Literal[1, 3] = 1
    luma: tuple[float, float, float] | None = None
    grey_rounding: Literal["truncate", "nearest", "float"] = "nearest"
    grey_after_resize: bool = False
    plane_rounding: Literal["truncate", "nearest", "float"] = "nearest"
    crop: tuple[int, int, int, int] | None = None
    contrast_stretch: bool = False
    zero: tuple[tuple[int, int, int, int], ...] = ()
    stack_fill: Literal["zeros", "repeat"] = "zeros"
    scale_divisor: float = 255.0

    def __post_init__(self) -> None:
        if self.stack < 1:
            raise InvalidArgument(f"stack {self.stack}: expected 1 frame or more.")
        if self.stack > MOST_FRAMES:
            raise InvalidArgument(f"stack {self.stack}: expected {MOST_FRAMES} frames at most.")
        if min(self.resize) < 1 or max(self.resize) > LARGEST_PLANE:
            raise InvalidArgument(
                f"resize {self.resize}: expected 1 to {LARGEST_PLANE} rows and columns."
            )
        if (self.grayscale == "weights") != (self.luma is not None):
            raise InvalidArgument('luma goes with grayscale = "weights", and only with it.')
        self._check_colour()
        if self.scale_divisor <= 0:
            raise InvalidArgument(f"scale_divisor {self.scale_divisor}: expected more than 0.")
        if self.crop is not None:
            top, bottom, left, right = self.crop
            if not (0 <= top < bottom and 0 <= left < right):
                raise InvalidArgument(
                    f"crop {self.crop}: expected top < bottom and left < right, from 0."
                )

    def _check_colour(self) -> None:
        if self.channels == 3 and (self.grayscale != "none" or self.contrast_stretch):
            raise InvalidArgument(
                'channels = 3 goes with grayscale = "none" and no contrast stretch: colour is '
                "not greyed."
            )
        if self.channels == 1 and self.grayscale == "none" and self.source == "screen":
            raise InvalidArgument(
                'grayscale = "none" goes with channels = 3, or with source = "environment" of '
                "grey images: screens have colour."
            )
        if self.pool != "none" and self.source == "environment":
            raise InvalidArgument('pool goes with source = "screen": own images are not pooled.')
        if self.pool == "grey" and self.grayscale == "none":
            raise InvalidArgument('pool = "grey" goes with a grayscale: use "rgb".')
        if self.grey_after_resize and (
            self.grayscale in ("none", "ale") or self.pool == "grey" or self.contrast_stretch
        ):
            raise InvalidArgument(
                "grey_after_resize goes with a grayscale of RGB, no pool of greys and no "
                "contrast stretch."
            )
        for top, bottom, left, right in self.zero:
            rows, columns = self.resize
            if not (0 <= top < bottom <= rows and 0 <= left < right <= columns):
                raise InvalidArgument(
                    f"zero {top, bottom, left, right}: expected top < bottom and left < right "
                    f"within {rows} rows and {columns} columns."
                )

    @property
    def planes(self) -> int:
        """K: planes of one observation, ``stack`` frames of ``channels`` each."""
        return self.stack * self.channels

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, H, W) of one observation."""
        return (self.planes, *self.resize)

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """Of one frame as it is recorded: (H, W), or (3, H, W) in colour."""
        return self.resize if self.channels == 1 else (self.channels, *self.resize)

    @property
    def frames_of_planes(self) -> tuple[int, ...]:
        """For each of the K planes the frame of the stack that it belongs to, oldest 0."""
        return tuple(k // self.channels for k in range(self.planes))

    def screen_rectangle(
        self, screen_shape: tuple[int, int] = SCREEN_SHAPE
    ) -> tuple[int, int, int, int]:
        """The part of the screen that the observation shows: (top, bottom, left, right), ends
        excluded."""
        return self.crop if self.crop is not None else (0, screen_shape[0], 0, screen_shape[1])

    def to_screen(
        self, row: float, column: float, screen_shape: tuple[int, int] = SCREEN_SHAPE
    ) -> tuple[float, float]:
        """Screen coordinates (centre convention) of observation coordinates.

        Example:
            >>> pong = ObservationSpec(pool="rgb", grayscale="cv2", resize=(105, 80),
            ...                        interpolation="cv2-area", stack=4)
            >>> pong.to_screen(0, 0)
            (0.5, 0.5)
        """
        top, bottom, left, right = self.screen_rectangle(screen_shape)
        return (
            top + (row + 0.5) * (bottom - top) / self.resize[0] - 0.5,
            left + (column + 0.5) * (right - left) / self.resize[1] - 0.5,
        )


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """What the policy's outputs mean and how one is chosen.

    ``meanings``: ALE's name of each output, in order. ``selection``: "sample" from the softmax,
    "greedy", or "epsilon" (greedy but for ``epsilon`` of the time). ``reason``: why this one.
    """

    meanings: tuple[str, ...]
    selection: Literal["sample", "greedy", "epsilon"]
    epsilon: float = 0.0
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.meanings:
            raise InvalidArgument("action meanings are empty: expected one name an output.")
        if len(set(self.meanings)) != len(self.meanings):
            raise InvalidArgument(f"action meanings repeat a name: {', '.join(self.meanings)}.")
        if not 0.0 <= self.epsilon <= 1.0:
            raise InvalidArgument(f"epsilon {self.epsilon}: expected 0 to 1.")


@dataclass(frozen=True, kw_only=True)
class ValueSpec:
    """What the critic was trained to predict, where that is known."""

    gamma: float | None = None
    reward: Literal["raw", "clipped", "normalised", "unknown"] = "unknown"


@dataclass(frozen=True, kw_only=True)
class ScoreSpec:
    """A measured return: raw reward, whole games, mean and sd over episodes."""

    mean: float
    sd: float | None = None
    episodes: int | None = None
    distinct: int | None = None
    protocol: str = ""


@dataclass(frozen=True, kw_only=True)
class AgentSpec:
    """An agent: policy, preprocessing, environment and where it all comes from.

    ``weights`` is a file name beside agent.toml ("" for agents without one, such as random);
    ``sha256`` its digest. ``assumed`` lists what an import had to assume.
    """

    name: str
    format: str
    environment: EnvironmentSpec
    observation: ObservationSpec
    action: ActionSpec
    network: NetworkSpec | None = None
    weights: str = ""
    sha256: str = ""
    algorithm: str = ""
    licence: str = ""
    source: str = ""
    preset: str = ""
    value: ValueSpec = field(default_factory=ValueSpec)
    score: ScoreSpec | None = None
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if odd := controls(self.name):
            raise InvalidArgument(
                f"agent name {self.name!a:.80} holds the control character {odd[0]!a}: expected "
                "one line of plain text."
            )


@dataclass(frozen=True, kw_only=True)
class GridSpec:
    """Where the values of a saliency map lie, in observation pixels (centre convention).

    ``rows`` and ``columns`` are the centres of the grid's cells; ``observation`` is (H, W).
    """

    rows: tuple[float, ...]
    columns: tuple[float, ...]
    observation: tuple[int, int]

    def __post_init__(self) -> None:
        lines = (
            *zip(self.rows, self.rows[1:], strict=False),
            *zip(self.columns, self.columns[1:], strict=False),
        )
        if min(self.observation) < 1 or not all(low < high for low, high in lines):
            raise InvalidArgument(
                f"a grid over {self.observation}: expected 1 pixel or more, and growing centres."
            )

    @classmethod
    def pixels(cls, observation: tuple[int, int]) -> GridSpec:
        """One value a pixel of an observation of (H, W)."""
        height, width = observation
        return cls(
            rows=tuple(map(float, range(height))),
            columns=tuple(map(float, range(width))),
            observation=observation,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(gy, gx)."""
        return (len(self.rows), len(self.columns))


@dataclass(frozen=True, kw_only=True)
class TargetInfo:
    """One target of a map set: a score's name and how to read it.

    ``signed``: diverges around zero. ``unit``: "nats", "probability", "value^2" ... ``meaning``:
    one sentence on what a large value means. ``noise_floor``: below this a value is rounding.
    ``display``: "sqrt" where the square root is shown (kl), else "identity".
    ``role``: "actor", "critic", "q" or "control" (which panel draws it). ``of_action``: the value
    is of the explained action; else it is the same whichever action is explained.
    """

    name: str
    signed: bool
    unit: str
    meaning: str
    noise_floor: float
    role: Literal["actor", "critic", "q", "control"]
    display: Literal["identity", "sqrt"] = "identity"
    of_action: bool = True
