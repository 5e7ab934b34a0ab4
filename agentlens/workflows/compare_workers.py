"""Whether a comparison is shared among processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from agentlens.compute import Compute
from agentlens.policies.device import choose_device
from agentlens.workflows.participants import Participant
from agentlens.workflows.sent_agents import can_be_sent
from agentlens.workflows.workers import Workers


def comparing_workers(
    participants: Sequence[Participant], compute: Compute
) -> contextlib.AbstractContextManager[Workers | None]:
    """Processes for a comparison, at most one an agent; None where one does as well.

    One does where the device is no CPU, where fewer than two agents have games to play (a process
    takes seconds to start), and where an agent was made or changed in memory.
    """
    count = min(compute.threads or os.cpu_count() or 1, len(participants))
    fresh = sum(participant.recording is None for participant in participants)
    if (
        count < 2
        or fresh < 2
        or choose_device(compute.device).type != "cpu"
        or not all(can_be_sent(participant.agent) for participant in participants)
    ):
        return contextlib.nullcontext(None)
    return Workers(count)
