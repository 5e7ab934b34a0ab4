"""Recurrent cells whose input half is worked out already: the linear map of a GRU or an LSTM.

Gates in PyTorch's order. The state's half costs one row where one state is shared by all rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def step_from_input(
    cell: nn.GRUCell | nn.LSTMCell, projected: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor]:
    """Step a cell from its projected input.

    Args:
        cell: the cell.
        projected: [B, gates], ``W_ih x + b_ih``.
        memory: before the step, [B, S] or [1, S]: h, for an LSTM h then c.

    Returns:
        The cell's output [B, n] and its memory after the step [B, S].
    """
    if isinstance(cell, nn.LSTMCell):
        return _step_lstm(cell, projected, memory)
    hidden = _step_gru(cell, projected, memory)
    return hidden, hidden


def _step_gru(cell: nn.GRUCell, projected: Tensor, hidden: Tensor) -> Tensor:
    recurrent = nn.functional.linear(hidden, cell.weight_hh, cell.bias_hh)
    size = cell.hidden_size
    gates = (projected[:, : 2 * size] + recurrent[:, : 2 * size]).sigmoid_()
    reset, update = gates[:, :size], gates[:, size:]
    new = torch.addcmul(projected[:, 2 * size :], reset, recurrent[:, 2 * size :]).tanh_()
    return torch.lerp(new, hidden.expand_as(new), update)


def _step_lstm(cell: nn.LSTMCell, projected: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    hidden, before = memory.chunk(2, dim=1)
    gates = projected + nn.functional.linear(hidden, cell.weight_hh, cell.bias_hh)
    write, keep, new, show = gates.chunk(4, dim=1)
    after = keep.sigmoid() * before + write.sigmoid() * new.tanh()
    output = show.sigmoid() * after.tanh()
    return output, torch.cat((output, after), dim=1)
