"""Runs whose scenes other processes make."""

from multiprocessing import active_children

import pytest
from made.meshes import small_sources
from made.runs import logged, options
from made.scenes import small_network

from tokengs_nerfstudio.commands.pretrain import Run
from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.pool import PoolConfig
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig

pytestmark = pytest.mark.usefixtures("small_preset", "threads")

POOL = PoolConfig(makers=1, views=6, fewest=4)


@pytest.mark.slow
def test_a_run_trains_on_what_makers_make_says_how_much_that_was_and_goes_on(tmp_path):
    Run(options(tmp_path, steps=2, pool=POOL)).train()
    assert not active_children()
    assert logged(tmp_path)[2]["made"] >= 4
    Run(options(tmp_path, steps=3, pool=POOL)).train()
    assert set(logged(tmp_path)) == {1, 2, 3}
    assert load_network(tmp_path / "network.safetensors").tokens.isfinite().all()


@pytest.mark.slow
def test_a_network_that_knows_time_trains_on_what_makers_make_of_moving_scenes(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", small_network(time_channels=2, dynamic_tokens=4).config)
    moving = ProceduralCurriculumConfig(
        meshes=MeshSceneConfig(small_sources(tmp_path / "meshes"), moving=1.0), solids=0.0, easy=(0.0, 0.0)
    )
    Run(options(tmp_path, steps=2, pool=POOL, procedural=moving)).train()
    assert logged(tmp_path)[2]["made"] >= 4
    assert logged(tmp_path)[2]["places"] >= 0
