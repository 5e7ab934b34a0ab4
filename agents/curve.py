"""Draws the learning curve of an agent card from a run's `curve.csv`.

    python agents/curve.py runs/pong-ppo/curve.csv agents/pong-ppo/curve.png --title pong-ppo

Several CSV files may be joined by commas: the parts of a run that began with given weights.
Needs matplotlib (the `plots` extra).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from checkpoints import CurveRow, read_curve
from matplotlib.figure import Figure


def draw(rows: Sequence[CurveRow], title: str) -> Figure:
    """Draw mean and standard deviation of the raw return against decisions.

    Args:
        rows: The curve, in order of decisions.
        title: The agent's name.
    """
    decisions = np.array([row.decisions for row in rows]) / 1e6
    mean = np.array([row.mean_return for row in rows])
    sd = np.array([row.sd_return for row in rows])
    figure = Figure(figsize=(6.4, 3.6), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(decisions, mean - sd, mean + sd, alpha=0.2, linewidth=0, label="± 1 sd")
    axes.plot(decisions, mean, linewidth=1.5, label="mean")
    axes.set_xlabel("million decisions (four emulator frames each)")
    axes.set_ylabel("raw return, last 100 episodes")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    return figure


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Draw a learning curve.")
    parser.add_argument("csv", help="curve.csv of a run; several joined by commas")
    parser.add_argument("png", type=Path, help="picture to write")
    parser.add_argument("--title", default="", help="the agent's name")
    options = parser.parse_args(arguments)
    try:
        rows = [row for path in options.csv.split(",") for row in read_curve(Path(path))]
    except FileNotFoundError as error:
        print(
            f"curve.py: got {error.filename}, expected a run's curve.csv; name one",
            file=sys.stderr,
        )
        return 2
    if not rows:
        print(f"curve.py: {options.csv} holds no rows yet; wait for episodes", file=sys.stderr)
        return 2
    draw(rows, options.title).savefig(options.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
