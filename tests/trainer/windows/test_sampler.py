"""Sampling of training windows: how often each kind of sound is drawn."""

from __future__ import annotations

from trainer.data.dataset import Clip
from trainer.windows.strata import sampling_strata


def test_a_folder_with_a_single_speaker_is_not_a_stratum() -> None:
    """Otherwise a corpus with a folder per actor would be drawn twelve times as often as one with a single folder."""
    actors = [Clip(f"set/actor_{actor}/{take}.wav", f"actor-{actor}", "ravdess") for actor in "ab" for take in (1, 2)]
    animals = [Clip(f"set/{kind}/{take}.wav", f"{kind}-{take}", "esc") for kind in ("cat", "dog") for take in (1, 2)]
    kinds = sampling_strata([*actors, *animals])
    assert {kinds[clip.path] for clip in actors} == {"ravdess"}
    assert {kinds[clip.path] for clip in animals} == {"esc/set/cat", "esc/set/dog"}
