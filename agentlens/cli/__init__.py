"""The command line: one file a verb, found by file name.

Verb modules import what computes inside ``run``, so that listing and ``--help`` are instant.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import tyro

from agentlens.cli._console import fail, print_help, print_version
from agentlens.cli._method import with_method_flags
from agentlens.cli._verb import VERBS, Verb
from agentlens.errors import AgentlensError, Interrupted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0, 1 on failure, 2 on bad usage, 130 on Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _drop_output()
        return 1
    except OSError as error:
        if error.filename is None:
            _drop_output()
        return fail(f"{error.filename or 'the output'}: {error.strerror or error}.")


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        return print_help(VERBS)
    if words[0] in ("-V", "--version"):
        return print_version()
    try:
        verb: Verb = VERBS.load(words[0])
    except AgentlensError as error:
        return fail(str(error), code=2, hint="agentlens --help lists the commands.")
    return _run(verb, words[0], words[1:])


def _run(verb: Verb, name: str, flags: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        again = _given_twice(flags)
        if again:
            return fail(f"{again} is given twice: give it once, with all its values.", code=2)
        options: object = tyro.cli(
            with_method_flags(verb.options, flags),
            prog=f"agentlens {name}",
            args=flags,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
        )
        return verb.run(options)
    except Interrupted as error:
        return fail(str(error), code=130)
    except KeyboardInterrupt:
        return fail("interrupted.", code=130)
    except AgentlensError as error:
        return fail(str(error))


def _given_twice(words: Sequence[str]) -> str:
    """A flag that stands on the command line more than once, of which only the last would count."""
    flags = [word.partition("=")[0] for word in words if word.startswith("--") and word != "--"]
    return next((flag for flag in flags if flags.count(flag) > 1), "")


def _drop_output() -> None:
    """Send what is left of standard output nowhere: it cannot be written any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
