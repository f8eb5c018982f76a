"""A room whose clock the test turns."""

from __future__ import annotations

from pathlib import Path

import pytest
from turned_room import TurnedRoom


@pytest.fixture
def room(tmp_path: Path) -> TurnedRoom:
    return TurnedRoom(tmp_path)
