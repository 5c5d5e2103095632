from pathlib import Path

import pytest
from made.evaluations import write_captures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with small captures in `data`."""
    write_captures(tmp_path / "data")
    return tmp_path
