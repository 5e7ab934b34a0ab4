"""What a recording amounts to, in words: returns beside the agent's reference score."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from agentlens.spec import AgentSpec, Phase, ScoreSpec

if TYPE_CHECKING:
    from agentlens.store.recording import Recording

PROBED_STEPS = 64
"""An episode of so many steps or more is looked at for signs of wrong scaling."""

UNMOVED_SHARE = 0.005
CERTAIN_NATS = 0.02
"""A sign is that no action's probability moves by more (standard deviation over the steps), or that
their mean entropy is lower."""

FAR_BELOW_SD = 3.0
FAR_BELOW_SHARE = 0.5
"""A mean return further below the reference than this many sd (or, without an sd, than this
share of it) is said to be a sign of wrong preprocessing or another protocol."""


def protocol_text(spec: AgentSpec) -> str:
    """One line that names every setting of the emulator that changes a score."""
    environment = spec.environment
    start = ", ".join(
        _phase_text(p) for p in environment.start if _applies(p, spec.action.meanings)
    )
    parts = (
        environment.id,
        f"frame skip {environment.frame_skip_text}",
        f"sticky {environment.repeat_action_probability:g}",
        f"{len(spec.action.meanings)} actions",
        *(_option_text(name, value) for name, value in environment.options.items() if value),
        f"start {start or 'at once'}",
        f"actions by {spec.action.selection}",
    )
    return ", ".join(parts)


def _option_text(name: str, value: object) -> str:
    words = name.replace("_", " ")
    return words if value is True else f"{words} {value}"


def return_text(value: float, returns: Sequence[float]) -> str:
    """A figure made of these returns, signed: one decimal of points, three of shares of a point."""
    whole = all(float(r).is_integer() for r in returns)
    return f"{value:+.1f}" if whole else f"{value:+.3f}"


def returns_text(recording: Recording) -> str:
    """Mean and range of the raw returns of finished episodes, and how many are distinct."""
    finished = [e for e in recording.episodes if e.complete]
    if not finished:
        return "no finished episode"
    returns = [e.raw_return for e in finished]
    cut = sum(e.end in ("max_steps", "truncated", "stuck") for e in finished)
    text = f"return {return_text(statistics.fmean(returns), returns)}"
    if len(returns) > 1:
        text += (
            f" (mean of {len(returns)}, sd {return_text(statistics.stdev(returns), returns)[1:]}, "
            f"from {min(returns):+g} to {max(returns):+g}; "
            f"{recording.distinct_episodes} distinct)"
        )
    return text + (f", {cut} cut before the game's end" if cut else "")


def score_warning(spec: AgentSpec, recording: Recording) -> str:
    """A warning where whole games return far less than the agent's reference score, else ""."""
    whole = [e.raw_return for e in recording.episodes if e.complete and e.end == "terminated"]
    if not whole or spec.score is None:
        return ""
    mean, score = statistics.fmean(whole), spec.score
    if score.mean - mean <= _margin(score):
        return ""
    return (
        f"the return of {mean:+.1f} is far below the agent's reference score {score.mean:+.1f}"
        f"{f' (sd {score.sd:.1f})' if score.sd else ''}: check preprocessing and protocol "
        f"(the score's: {score.protocol or 'not stated'})."
    )


def scaling_warning(recording: Recording) -> str:
    """A warning where no observation, or any, decides the actions: a sign of wrong scaling.

    A network of 0 to 1 that is fed 0 to 255 is certain of everything; the other way round it
    hardly sees a difference. (Policies with memory move by themselves: they may pass.)
    """
    episode = max(recording.episodes, key=len, default=None)
    logits = None if episode is None else episode.logits
    if logits is None or len(logits) < PROBED_STEPS or recording.header.agent.format == "random":
        return ""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_shares = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    shares = np.exp(log_shares)
    entropy, change = abs((shares * log_shares).sum(axis=1).mean()), shares.std(axis=0).max()
    if change < UNMOVED_SHARE:
        remark = f"no action's probability changes much (sd {change:.1g} over the episode)"
    elif entropy < CERTAIN_NATS:
        remark = f"nearly every action is certain (mean entropy {entropy:.2g} nats)"
    else:
        return ""
    divisor = recording.header.agent.observation.scale_divisor
    return (
        f"{remark}: if the agent is trained, check whether it was on observations divided by "
        f"{divisor:g} (scale_divisor of its agent.toml)."
    )


def recording_summary(recording: Recording) -> str:
    """Everything ``agentlens record`` prints at the end, a fact a line."""
    spec = recording.header.agent
    steps = sum(len(e) for e in recording.episodes)
    lines = [
        f"agent: {spec.name} ({spec.algorithm or spec.format})",
        f"protocol: {protocol_text(spec)}",
        f"episodes: {len(recording.episodes)} ({steps} steps), {returns_text(recording)}",
    ]
    if spec.score is not None:
        lines.append(f"reference score: {score_text(spec.score)}")
    if spec.assumed:
        lines.append(f"assumed at import: {'; '.join(spec.assumed)}")
    warnings = (score_warning(spec, recording), scaling_warning(recording))
    lines += [f"warning: {warning}" for warning in warnings if warning]
    return "\n".join(lines)


def score_text(score: ScoreSpec) -> str:
    """What was measured, briefly: "+11.4 (sd 10.2, 8 episodes)"."""
    parts = [
        f"sd {score.sd:.1f}" if score.sd is not None else "",
        f"{score.episodes} episodes" if score.episodes is not None else "",
    ]
    inside = ", ".join(p for p in parts if p)
    return f"{score.mean:+.1f}" + (f" ({inside})" if inside else "")


def _phase_text(phase: Phase) -> str:
    times = str(phase.least) if phase.least == phase.most else f"{phase.least} to {phase.most}"
    return f"{times} {phase.action}"


def _applies(phase: Phase, meanings: tuple[str, ...]) -> bool:
    """Whether a phase is played; the agent's action names stand for the game's."""
    absent = phase.when.startswith("no ")
    return not phase.when or (phase.when.removeprefix("no ") in meanings) != absent


def _margin(score: ScoreSpec) -> float:
    if score.sd:
        return FAR_BELOW_SD * score.sd
    return FAR_BELOW_SHARE * max(abs(score.mean), 1.0)
