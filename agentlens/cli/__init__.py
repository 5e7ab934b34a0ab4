"""The command line: one file a verb, found by file name.

Verb modules import what computes inside ``run``, so that listing and ``--help`` are instant.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from agentlens.errors import AgentlensError, Corrupt, Interrupted

if TYPE_CHECKING:
    from agentlens.cli._verb import Verb

LOST_OUTPUT = 1
"""The exit code of work that was done, but whose output nobody could get."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0, 1 on failure, 2 on bad usage, 130 on Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with contextlib.suppress(ValueError):  # outside the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    lost = _ready_streams()
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code or (LOST_OUTPUT if lost else 0)
    except BrokenPipeError:
        _drop_output()
        return LOST_OUTPUT
    except KeyboardInterrupt:
        return _fail("interrupted.", code=130)
    except OSError as error:
        if error.filename is None:
            _drop_output()
        return _fail(f"{error.filename or 'the output'}: {error.strerror or error}.")


def entry() -> NoReturn:
    """Run one command and leave at once: what the console script and ``python -m`` call.

    The computing libraries are not torn down one by one: on some machines their threads then end
    the process with an abort after all the work was done.
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _ready_streams() -> bool:
    """Make both outputs take every character; returns whether one of them is closed.

    What a terminal cannot show is escaped; what goes to a closed output goes nowhere, while the
    work is done.
    """
    lost = False
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            lost = True
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (for good)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return lost


def _fail(message: str, code: int = 1) -> int:
    from agentlens.cli._console import fail

    return fail(message, code=code)


def _dispatch(words: list[str]) -> int:
    from agentlens.cli._console import fail, print_version
    from agentlens.cli._help import print_commands
    from agentlens.cli._verb import VERBS

    if not words or words[0] in ("-h", "--help", "--help-all"):
        print_commands(VERBS)
        return 0
    if words[0] in ("-V", "--version"):
        return print_version()
    try:
        verb = VERBS.load(words[0])
    except AgentlensError as error:
        return fail(str(error), code=2, hint="agentlens --help lists the commands.")
    return _run(verb, words[0], words[1:])


def _run(verb: Verb, name: str, flags: list[str]) -> int:
    import tyro

    from agentlens.cli._console import fail
    from agentlens.cli._help import help_wanted, print_help
    from agentlens.cli._method import with_method_flags

    try:
        if help_wanted(flags):
            print_help(verb, name, flags)
            return 0
        again = _given_twice(flags)
        if again:
            return fail(f"{again} is given twice: give it once, with all its values.", code=2)
        options: object = tyro.cli(
            with_method_flags(verb.options, flags),
            prog=f"agentlens {name}",
            args=flags,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
        )
        _refuse_early(options)
        return verb.run(options)
    except Interrupted as error:
        return fail(str(error), code=130)
    except KeyboardInterrupt:
        return fail("interrupted.", code=130)
    except AgentlensError as error:
        return fail(str(error))


def _refuse_early(options: object) -> None:
    """Refuse what is not there, agents, recordings and ids, before anything heavy is loaded."""
    from agentlens.cli._options import AgentChoice, RecordingChoice

    source = getattr(options, "source", None)
    recording = getattr(
        source if isinstance(source, RecordingChoice) else options, "recording", None
    )
    if isinstance(recording, Path) and not recording.exists():
        raise Corrupt(f"{recording}: there is no such folder; expected an agentlens recording.")
    agents = [source.agent] if isinstance(source, AgentChoice) else getattr(options, "agents", ())
    if agents:
        from agentlens.policies.catalogue import check_named

        for name in agents:
            check_named(name)
    if isinstance(source, AgentChoice) and source.env and not source.trust_code:
        from agentlens.envs import protocols

        protocols.resolve(source.env, preset=source.preset)


def _given_twice(words: Sequence[str]) -> str:
    """A flag that stands on the command line more than once, of which only the last would count."""
    flags = [word.partition("=")[0] for word in words if word.startswith("--") and word != "--"]
    return next((flag for flag in flags if flags.count(flag) > 1), "")


def _drop_output() -> None:
    """Send what is left of standard output nowhere: it cannot be written any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
