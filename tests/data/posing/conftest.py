from pathlib import Path

import pytest
from made.walk import walk, write_photos

from tokengs_nerfstudio.data.posing.config import PosingConfig
from tokengs_nerfstudio.data.posing.posing import posed

FAST = PosingConfig(max_features=400)


@pytest.fixture(scope="session")
def fast() -> PosingConfig:
    """Settings that pose the walk in two seconds."""
    return FAST


@pytest.fixture(scope="session")
def posed_walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight photos with their poses beside them; for reading alone."""
    pytest.importorskip("pycolmap", reason="structure from motion is pycolmap's")
    folder = write_photos(tmp_path_factory.mktemp("walk") / "photos", walk())
    posed(folder, FAST)
    return folder
