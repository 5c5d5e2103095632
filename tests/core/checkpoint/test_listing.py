from pathlib import Path

import pytest

from tokengs_nerfstudio.core.checkpoint.listing import as_markdown, as_text, named_weights
from tokengs_nerfstudio.core.checkpoint.registry import PUBLISHED, parameters_of, shipped_weights
from tokengs_nerfstudio.core.network.config import PRESETS

PAGE = Path(__file__).resolve().parents[3] / "docs/weights.md"


@pytest.fixture
def usual_places(tmp_path, monkeypatch):
    """No file fetched by hand or by the hub's client, and the hub where it always is."""
    from huggingface_hub import constants

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)


def test_everything_that_has_a_name_is_listed(usual_places):
    listed = {one.name: one for one in named_weights()}
    assert list(listed) == [*shipped_weights(), *PUBLISHED]
    assert listed["tiny"].path == shipped_weights()["tiny"]
    one = listed["kubric-dynamic"]
    assert (one.path, one.sha256, one.preset, one.size) == (None, None, "kubric-dynamic", "about 1.44 GB")
    assert one.address.endswith("/a7eb20340b99abd29b554c29c339446aebccff36/checkpoints_26.06/kubric_dyn.safetensors")
    assert all(one.preset in PRESETS for one in listed.values())


def test_sizes_are_those_of_the_parameters():
    assert parameters_of("base") == 218_871_040
    assert PUBLISHED["base"].size == "about 0.88 GB"


def test_the_text_names_every_file_and_each_licence_once(usual_places):
    listed = named_weights()
    text = as_text(listed)
    for one in listed:
        assert f"{one.name}: {one.about}\n    preset {one.preset}, {one.size}, " in text
        assert one.address in text
        assert text.count(one.licence) == 1
    assert text.count("sha256 not recorded") == 1


def test_the_page_has_the_table_as_it_is(usual_places):
    table = as_markdown(named_weights())
    assert table.count("\n") == 1 + len(PUBLISHED)
    assert table in PAGE.read_text()
