"""An Atari game played exactly as an ``EnvironmentSpec`` says: nothing is left to a default.

Built on a plain emulator handle, which gives native screens and RAM. The emulator draws sticky
actions itself, from its seed; the frame skip and the length of forced phases are drawn here,
from the episode's generator. Seed, generator and actions decide an episode bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ale_py
import numpy as np

from agentlens.envs.atari.cartridges import Cartridge, cartridge, rom_md5, rom_path
from agentlens.envs.atari.options import AtariOptions, atari_options
from agentlens.envs.base import Environment, Forced, Outcome
from agentlens.errors import EmulatorError, InvalidArgument
from agentlens.palette import Palette
from agentlens.spec import LONGEST_FRAME_SKIP, EnvironmentSpec, Phase

FRAMES_PER_SECOND = 60.0


class Emulator(Environment):
    """One game of one agent's protocol; a tick is an emulator frame.

    Attributes:
        actions: ALE's names of the environment's action set, in order.
    """

    palette: Palette
    screen_shape: tuple[int, int]
    ticks_per_second = FRAMES_PER_SECOND

    def __init__(
        self,
        environment: EnvironmentSpec,
        meanings: Sequence[str],
        *,
        palette: Palette | None = None,
    ) -> None:
        """Load the cartridge.

        Args:
            environment: the protocol.
            meanings: ALE's name of each of the agent's outputs; ``step`` takes their indices.
            palette: to be shared by several emulators of one game.

        Raises:
            UnknownName: no such game.
            EmulatorError: the action names do not fit the environment's action set.
        """
        self.environment = environment
        self.palette = palette if palette is not None else Palette()
        game = cartridge(environment.game)
        self._rom = rom_path(environment.game)
        self._ale = ale_py.ALEInterface()
        self._ale.setFloat("repeat_action_probability", environment.repeat_action_probability)
        self._ale.setInt("max_num_frames_per_episode", environment.max_frames)
        self._ale.setBool("display_screen", False)
        self._ale.setBool("sound", False)
        self._options = atari_options(environment)
        self.actions = game.legal if self._options.full_action_space else game.minimal
        self.action_meanings = tuple(meanings)
        self.identity = {"rom_md5": rom_md5(environment.game), "actions": list(self.actions)}
        _check_meanings(environment, self.action_meanings, self.actions)
        _check_settings(environment.id, self._options, game)
        self._codes = tuple(ale_py.Action.__members__[name] for name in meanings)
        self._start = self._resolve(environment.start)
        self._after_life_loss = self._resolve(environment.after_life_loss)
        self._rules = np.random.default_rng(0)
        self._lives = 0
        self._held: dict[int, int] = {}
        self.screen_shape = game.screen_shape
        self.screen = np.zeros(self.screen_shape, np.uint8)
        self.screen_before = np.zeros(self.screen_shape, np.uint8)
        self.previous_screen = np.zeros(self.screen_shape, np.uint8)

    @property
    def ram(self) -> np.ndarray:
        """uint8 [128], a copy."""
        ram: np.ndarray = self._ale.getRAM()
        return ram

    def fingerprint(self) -> bytes:
        """The RAM, 128 bytes."""
        return self.ram.tobytes()

    @property
    def lives(self) -> int:
        """Lives left; 0 in games without lives."""
        return int(self._ale.lives())

    @property
    def tick(self) -> int:
        """Emulator frames since the episode began."""
        return int(self._ale.getEpisodeFrameNumber())

    def reset(self, *, seed: int, rules: np.random.Generator) -> tuple[Forced, ...]:
        """Begin an episode and run the start phases."""
        if type(seed) is not int or not 1 <= seed < 2**31:
            raise InvalidArgument(f"emulator seed {seed!r}: expected 1 to {2**31 - 1}.")
        self._rules, self._held = rules, {}
        self._ale.setInt("random_seed", seed)
        self._ale.loadROM(self._rom)
        if self._options.mode is not None:
            self._ale.setMode(self._options.mode)
        if self._options.difficulty is not None:
            self._ale.setDifficulty(self._options.difficulty)
        self._ale.reset_game()
        self.screen = self.screen_before = self.previous_screen = self._ale.getScreen()
        self.palette.learn(self.screen, self._ale.getScreenRGB(), self._ale.getScreenGrayscale())
        forced, _ = self._run(self._start, restart=True)
        self._lives = self.lives
        return forced

    def step(self, action: int) -> Outcome:
        """Play one decision, and what the rules force after it.

        Args:
            action: index into the agent's action meanings.

        Raises:
            InvalidArgument: not an integer within range (a bool or a float is not one).
        """
        code = self._codes[self.checked_action(action)]
        first = self.tick
        reward = self._advance(code, self._draw_frame_skip())
        life_lost = 0 < self.lives < self._lives and not self._ale.game_over()
        forced: tuple[Forced, ...] = ()
        if life_lost:
            forced, extra = self._run(self._after_life_loss, restart=False)
            reward += extra
        self._lives = self.lives
        truncated = bool(self._ale.game_truncated())
        return Outcome(
            reward=reward,
            frames=self.tick - first,
            forced=forced,
            life_lost=life_lost,
            terminated=bool(self._ale.game_over(with_truncation=False)),
            truncated=truncated,
        )

    def hold_ram(self, edits: Mapping[int, int | None]) -> None:
        """Write bytes of RAM before every coming frame, until the next reset.

        Args:
            edits: values 0 to 255 by address 0 to 127; ``None`` holds the value there is now.
        """
        ram = self.fingerprint()
        self._held = {
            address: ram[address] if value is None else value for address, value in edits.items()
        }

    def rgb(self) -> np.ndarray:
        """The current screen in colour, uint8 [Y, X, 3], as the emulator itself draws it."""
        rgb: np.ndarray = self._ale.getScreenRGB()
        return rgb

    def _draw_frame_skip(self) -> int:
        low, high = self.environment.frame_skip
        return low if low == high else int(self._rules.integers(low, high, endpoint=True))

    def _advance(self, code: ale_py.Action, frames: int) -> float:
        """Hold an action for some frames, to the game's end at most; keep the last two screens."""
        self.previous_screen = self.screen
        ale, reward, before = self._ale, 0, None
        for frame in range(frames):
            for address, value in self._held.items():
                ale.setRAM(address, value)
            reward += ale.act(code)
            if ale.game_over():
                break
            if frame == frames - 1 - self._options.step_frames:
                before = self._look(self.previous_screen)
        self.screen = self._look(self.previous_screen if before is None else before)
        self.screen_before = self.screen if before is None else before
        return float(reward)

    def _look(self, known: np.ndarray) -> np.ndarray:
        """The emulator's screen, its colours learned; ``known``: one like it, learned before."""
        screen: np.ndarray = self._ale.getScreen()
        if not self.palette.knows(screen, known):
            self.palette.learn(screen, self._ale.getScreenRGB(), self._ale.getScreenGrayscale())
        return screen

    def _run(
        self, phases: Sequence[tuple[Phase, ale_py.Action]], *, restart: bool
    ) -> tuple[tuple[Forced, ...], float]:
        forced, reward = [], 0.0
        for phase, code in phases:
            times = int(self._rules.integers(phase.least, phase.most, endpoint=True))
            for _ in range(times):
                single = phase.unit == "frame"
                frames = self._options.step_frames if single else self._draw_frame_skip()
                reward += self._advance(code, frames)
                forced.append(Forced(int(code.value), frames))
                if self._ale.game_over():
                    if not restart:
                        return tuple(forced), reward
                    self._ale.reset_game()
        return tuple(forced), reward

    def _resolve(self, phases: Sequence[Phase]) -> tuple[tuple[Phase, ale_py.Action], ...]:
        resolved = []
        for phase in phases:
            absent = phase.when.startswith("no ")
            if phase.when and (phase.when.removeprefix("no ") in self.actions) == absent:
                continue
            name = phase.action
            if name.startswith("#") and name[1:].isdigit() and int(name[1:]) < len(self.actions):
                name = self.actions[int(name[1:])]
            if name not in self.actions:
                raise EmulatorError(
                    f"a phase of {self.environment.id} presses {phase.action}, which is not among "
                    f"its actions {', '.join(self.actions)}; correct the phase or give it 'when'."
                )
            resolved.append((phase, ale_py.Action.__members__[name]))
        return tuple(resolved)


def _check_meanings(
    environment: EnvironmentSpec, meanings: tuple[str, ...], actions: tuple[str, ...]
) -> None:
    foreign = [name for name in meanings if name not in actions]
    full = atari_options(environment).full_action_space
    if foreign or (full and len(meanings) != len(actions)):
        kind = "full" if full else "minimal"
        raise EmulatorError(
            f"the agent's {len(meanings)} actions ({', '.join(meanings)}) do not fit the {kind} "
            f"action set of {environment.id}, which has {len(actions)}: {', '.join(actions)}. "
            "Correct the action meanings or full_action_space."
        )


def _check_settings(env_id: str, options: AtariOptions, game: Cartridge) -> None:
    if not 1 <= options.step_frames <= LONGEST_FRAME_SKIP:
        raise EmulatorError(f"step_frames {options.step_frames} of {env_id}: expected 1 or more.")
    for name, value, known in (
        ("mode", options.mode, game.modes),
        ("difficulty", options.difficulty, game.difficulties),
    ):
        if value is not None and value not in known:
            raise EmulatorError(
                f"{name} {value} of {env_id}: its cartridge has {', '.join(map(str, known))}."
            )
