"""The data sets that the trainer's tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_data import make_data_set


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture
def own_data_set(tmp_path: Path) -> Path:
    """A data set of its own, which a test may change."""
    return make_data_set(tmp_path / "data", 0.8)


@pytest.fixture
def made_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in place of YAMNet's, and the same drawn weights whenever it is loaded."""

    import torch

    from trainer.backbone.tagger import SoundTagger

    def load(self: SoundTagger, weights: Path) -> None:
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in self.parameters():
                scale = (2.0 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.01
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)

    monkeypatch.setattr(SoundTagger, "load", load)
    file = tmp_path / "yamnet.tflite"
    file.write_bytes(b"no weights")
    return file
