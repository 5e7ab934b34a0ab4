"""Where the published code of Greydanus et al. 2018 draws its scores, kept for comparison."""

from __future__ import annotations

from torch.nn.functional import pad

from agentlens.saliency.base import FrameBatch, MapBatch
from agentlens.saliency.perturb import PerturbationExplainer
from agentlens.spec import GridSpec


def stretched_centres(size: int, stride: int) -> tuple[float, ...]:
    """Where an array of ``size // stride + 1`` values lies when spread over ``size`` pixels.

    Example:
        >>> [round(c, 2) for c in stretched_centres(80, 5)[:2]]
        [1.85, 6.56]
    """
    count = size // stride + 1
    return tuple((index + 0.5) * size / count - 0.5 for index in range(count))


class PublishedExplainer:
    """Scores on the published grid as their code places them; an ``Explainer``.

    80 pixels at stride 5 give 16 scores in an array of 17: the last row and column stay zero, and
    spreading the array moves a score by about half a stride. Where the stride does not divide the
    size the array is full, and only the places differ.
    """

    def __init__(self, inner: PerturbationExplainer, stride: int) -> None:
        self._inner = inner
        self.targets, self.planes = inner.targets, inner.planes
        self.engine, self.forward_passes = inner.engine, inner.forward_passes
        height, width = inner.grid.observation
        self.grid = GridSpec(
            rows=stretched_centres(height, stride),
            columns=stretched_centres(width, stride),
            observation=(height, width),
        )

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        maps = self._inner(frames)
        (rows, columns), (gy, gx) = self._inner.grid.shape, self.grid.shape
        return maps._replace(values=pad(maps.values, (0, gx - columns, 0, gy - rows)))
