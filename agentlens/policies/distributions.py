"""Returns as a distribution: from the logits of a categorical one to Q-values and quantiles."""

from __future__ import annotations

import torch
from torch import Tensor


def categorical_returns(logits: Tensor, support: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Mean and quantiles of a distribution over evenly spaced returns.

    Args:
        logits: [B, A, N], of N returns from the lowest to the highest of ``support``.
        support: these two returns.

    Returns:
        Q-values [B, A], the exact means, and quantiles [B, A, N]: the smallest return whose
        cumulated probability reaches (i + 1/2) / N. Their mean differs from the Q-value by at
        most the distance of two returns.

    References:
        Bellemare, Dabney and Munos (2017), A distributional perspective on reinforcement
        learning, section 4 (the categorical form); Dabney et al. (2018), Distributional
        reinforcement learning with quantile regression, lemma 2 (the midpoints).
    """
    count = logits.shape[-1]
    returns = torch.linspace(*support, count, dtype=logits.dtype, device=logits.device)
    probabilities = logits.softmax(-1)
    q_values = (probabilities * returns).sum(-1)
    places = torch.arange(count, dtype=logits.dtype, device=logits.device)
    levels = ((places + 0.5) / count).expand(probabilities.shape).contiguous()
    reached = torch.searchsorted(probabilities.cumsum(-1), levels)
    return q_values, returns[reached.clamp(max=count - 1)]
