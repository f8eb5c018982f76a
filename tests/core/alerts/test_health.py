"""A dead stream looks like a quiet baby: the watch looks at counters."""

from __future__ import annotations

from babymonitor.core.alerts.health import Health, HealthRules, HealthWatch


class Clock:
    """Looks four times a second at a microphone and a model that work or do not."""

    def __init__(self) -> None:
        self.watch = HealthWatch(HealthRules(), 0.0)
        self.now = 0.0
        self.samples = 0
        self.scores = 0

    def run(self, seconds: float, sound: bool = True, model: bool = True, silent: bool = False) -> list[Health]:
        states = []
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            self.samples += 4000 * sound
            self.scores += sound and model
            states.append(self.watch.look(self.now, self.samples, self.scores, silent))
        return states


def test_listening_while_both_counters_run() -> None:
    assert set(Clock().run(60)) == {Health.LISTENING}


def test_deaf_after_two_seconds_without_samples_and_listening_again_at_once() -> None:
    clock = Clock()
    clock.run(10)
    states = clock.run(10, sound=False)
    assert states.index(Health.DEAF) == 7
    assert set(states[7:]) == {Health.DEAF}
    assert clock.run(1)[0] is Health.LISTENING


def test_deaf_when_there_never_was_a_sample() -> None:
    assert Clock().run(3, sound=False)[-1] is Health.DEAF


def test_the_very_same_samples_are_a_muted_microphone() -> None:
    clock = Clock()
    clock.run(5)
    states = clock.run(5, silent=True)
    assert states.index(Health.MUTED) == 11
    assert clock.run(0.25) == [Health.LISTENING]


def test_a_microphone_that_comes_back_silent_is_not_trusted() -> None:
    clock = Clock()
    clock.run(5)
    clock.run(3, sound=False)
    assert set(clock.run(5, silent=True)) == {Health.MUTED}


def test_no_score_for_five_seconds_is_a_failed_model() -> None:
    clock = Clock()
    clock.run(5)
    states = clock.run(10, model=False)
    assert states.index(Health.MODEL_FAILED) == 19
    assert clock.run(0.25) == [Health.LISTENING]


def test_a_gap_in_the_sound_does_not_blame_the_model() -> None:
    clock = Clock()
    clock.run(5)
    clock.run(30, sound=False)
    assert Health.MODEL_FAILED not in clock.run(4, model=False)
    assert clock.run(2, model=False)[-1] is Health.MODEL_FAILED
