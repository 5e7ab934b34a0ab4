"""Right for the wrong place: attention on points and on mosaics whose deciding segment is known.

A focus scores every segment, a softmax of the scores weighs them, and a classifier sees the
weighted mean. Trained on the answer alone it may be right and look elsewhere: the counts of focus
and decision (FTPT/FFPT/FTPF/FFPF) tell.

Shape letters: N samples, m segments, D numbers of a segment, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.errors import InvalidArgument
from agentlens.saliency.engine.settings import torch_threads
from agentlens.workflows.bench import Focus

SEGMENTS = 9
"""m of the error modes."""

Box = tuple[float, float, float, float]
"""x from, x to, y from, y to."""


@dataclass(frozen=True, kw_only=True)
class ErrorMode:
    """One of the three sets of points on which focus goes wrong.

    ``foreground``: a box a class. ``background``: where all other segments lie. ``hidden``: width
    of the classifier's two hidden layers, 0 for a linear one. The focus is linear in all.
    """

    foreground: tuple[Box, ...]
    background: Box
    hidden: int = 0
    epochs: int = 100

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.foreground)


MODES = {
    1: ErrorMode(
        foreground=((5, 6, 2, 4), (5, 6, -5, -3), (8, 9, -2, 0)),
        background=(1, 2, -1, 5),
    ),
    2: ErrorMode(
        foreground=((-1, 0, 4, 5), (3, 4, 4, 5), (1, 2, -5, -4)),
        background=(-1, 4, -0.5, 0.5),
    ),
    3: ErrorMode(
        foreground=tuple((0.0, 0.2, 2.0 * row, 2.0 * row + 0.2) for row in range(6)),
        background=(2, 3, 4, 6),
        hidden=20,
        epochs=60,
    ),
}
"""After Pandey, Vashisht & Ramaswamy 2022: foreground boxes on one side of the background, on both
sides so that no line prefers all of them, and small ones in a column beside it. The layouts are
theirs, and so are the numbers of the first (from their scripts); the others' are our own."""


def points(mode: int, count: int, generator: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Samples of an error mode.

    Args:
        mode: 1, 2 or 3.
        count: N.
        generator: of the draws.

    Returns:
        Segments float32 [N, 9, 2], classes int64 [N], places of the foreground int64 [N].

    Raises:
        InvalidArgument: no such mode.
    """
    if mode not in MODES:
        raise InvalidArgument(f"error mode {mode!r}: expected 1, 2 or 3.")
    chosen = MODES[mode]
    classes = generator.integers(chosen.classes, size=count)
    places = generator.integers(SEGMENTS, size=count)
    segments = _uniform(np.array([chosen.background]), (count, SEGMENTS), generator)
    own = np.array(chosen.foreground)[classes]
    segments[np.arange(count), places] = _uniform(own, (count,), generator)
    return (
        torch.from_numpy(segments.astype(np.float32)),
        torch.from_numpy(classes),
        torch.from_numpy(places),
    )


def _uniform(
    boxes: np.ndarray, shape: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    """Points drawn in boxes [N, 4] or [1, 4]: float64 [*shape, 2]."""
    draws = generator.random((*shape, 2))
    low, high = boxes[:, [0, 2]], boxes[:, [1, 3]]
    if len(shape) == 2:
        low, high = low[:, None], high[:, None]
    drawn: np.ndarray = low + draws * (high - low)
    return drawn


def sparsemax(scores: Tensor) -> Tensor:
    """The point of the simplex nearest to the scores [N, m]: weights of which some are exactly 0.

    References:
        Martins & Astudillo 2016, algorithm 1.
    """
    ordered, _ = scores.sort(-1, descending=True)
    counts = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype)
    sums = ordered.cumsum(-1)
    support = (1 + counts * ordered > sums).sum(-1, keepdim=True)
    threshold = (sums.gather(-1, support - 1) - 1) / support
    return (scores - threshold).clamp(min=0)


def spherical_softmax(scores: Tensor) -> Tensor:
    """Squares of the scores [N, m] over their sum.

    References:
        de Brebisson & Vincent 2016, section 2.
    """
    squares = scores.square() + 1e-6
    return squares / squares.sum(-1, keepdim=True)


WEIGHING = {
    "softmax": lambda scores: torch.softmax(scores, -1),
    "sparsemax": sparsemax,
    "spherical": spherical_softmax,
}
"""From scores [N, m] to weights that sum to 1."""

Weighing = Literal["softmax", "sparsemax", "spherical"]


class Attention(nn.Module):
    """A focus over segments, an encoder before the mean, a classifier after it.

    Args:
        focus: from a segment to its score, [.., D] -> [.., 1].
        encoder: what a segment becomes before segments are averaged; nothing averages the input.
        classifier: from the mean to classes.
        weighing: how scores become weights.
    """

    def __init__(
        self,
        focus: nn.Module,
        encoder: nn.Module,
        classifier: nn.Module,
        weighing: Weighing = "softmax",
    ) -> None:
        super().__init__()
        self.focus, self.encoder, self.classifier = focus, encoder, classifier
        self.weighing = weighing

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [N, C] and weights [N, m] of segments [N, m, D]."""
        weights = WEIGHING[self.weighing](self.focus(segments)[..., 0])
        mean = (weights[..., None] * self.encoder(segments)).sum(1)
        logits: Tensor = self.classifier(mean)
        return logits, weights


def learn(
    model: Attention,
    segments: Tensor,
    classes: Tensor,
    *,
    optimiser: torch.optim.Optimizer,
    epochs: int,
    batch: int = 250,
    entropy: float = 0.0,
) -> None:
    """Train on the answers alone; ``entropy``: how much the weights' entropy is held against it."""
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(segments)), batch):
            logits, weights = model(segments[rows])
            loss = nn.functional.cross_entropy(logits, classes[rows])
            if entropy:
                spread = -(weights * (weights + 1e-9).log()).sum(-1).mean()
                loss = loss + entropy * spread
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()


@torch.inference_mode()
def counted(model: Attention, segments: Tensor, classes: Tensor, places: Tensor) -> Focus:
    """The four counts of a model: focus is true where the deciding segment weighs most."""
    logits, weights = model(segments)
    return Focus.of((weights.argmax(-1) == places).numpy(), (logits.argmax(-1) == classes).numpy())


def bench_focus(mode: int, seed: int = 0, *, train: int = 3000, test: int = 1000) -> Focus:
    """Train an attention model on an error mode and count where it looks on new samples.

    Args:
        mode: 1, 2 or 3.
        seed: of the points and of the weights.
        train, test: samples.

    Raises:
        InvalidArgument: no such mode.

    Notes:
        One to five seconds on a core.

    References:
        Pandey, Vashisht & Ramaswamy 2022, section 5 and their scripts: linear focus; linear
        classifier with SGD .01 and momentum .9, or 20-20 hidden units with Adam .01.
    """
    draw = np.random.default_rng(seed)
    segments, classes, _ = points(mode, train, draw)
    held_out = points(mode, test, draw)
    chosen = MODES[mode]
    with torch_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Attention(nn.Linear(2, 1), nn.Identity(), _classifier(2, chosen))
        optimiser: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        if chosen.hidden:
            optimiser = torch.optim.Adam(model.parameters(), 0.01)
        learn(model, segments, classes, optimiser=optimiser, epochs=chosen.epochs)
    return counted(model, *held_out)


def _classifier(width: int, mode: ErrorMode) -> nn.Module:
    if not mode.hidden:
        return nn.Linear(width, mode.classes)
    hidden = mode.hidden
    return nn.Sequential(
        nn.Linear(width, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, mode.classes),
    )
