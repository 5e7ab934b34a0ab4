"""The preset ``envpool`` says what EnvPool's source says of its Atari defaults."""

from __future__ import annotations

from agentlens.envs.protocols import resolve


def test_the_protocol_of_envpools_defaults() -> None:
    resolved = resolve("ALE/Breakout-v5", preset="envpool")
    environment, observation = resolved.environment, resolved.observation
    assert environment.frame_skip == (4, 4)
    assert environment.repeat_action_probability == 0.0
    assert (environment.after_life_loss, environment.terminal_on_life_loss) == ((), False)
    phases = [(p.action, p.least, p.most, p.unit, p.when) for p in environment.start]
    assert phases == [
        ("NOOP", 1, 30, "frame", "no FIRE"),
        ("NOOP", 0, 29, "frame", "FIRE"),
        ("FIRE", 1, 1, "frame", "FIRE"),
    ]
    assert (observation.pool, observation.grayscale) == ("grey", "ale")
    assert (observation.interpolation, observation.resize) == ("cv2-area", (84, 84))
    assert (observation.stack, observation.stack_fill) == (4, "repeat")
    assert resolved.assumed == ()
