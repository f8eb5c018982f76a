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
