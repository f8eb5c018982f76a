"""Windows that are learnt from: what is drawn as often as what."""

from __future__ import annotations

from trainer.data.dataset import Clip
from trainer.windows.strata import sampling_strata


def test_a_folder_of_one_speaker_is_no_kind_of_sound() -> None:
    """Else a corpus with a folder to each of its actors would be drawn twelve times as often as one with all in one."""
    actors = [Clip(f"set/actor_{actor}/{take}.wav", f"actor-{actor}", "ravdess") for actor in "ab" for take in (1, 2)]
    animals = [Clip(f"set/{kind}/{take}.wav", f"{kind}-{take}", "esc") for kind in ("cat", "dog") for take in (1, 2)]
    kinds = sampling_strata([*actors, *animals])
    assert {kinds[clip.path] for clip in actors} == {"ravdess"}
    assert {kinds[clip.path] for clip in animals} == {"esc/set/cat", "esc/set/dog"}
