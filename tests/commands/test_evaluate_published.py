"""tokengs-evaluate on data sets in their published layouts, with weights in theirs."""

import json
from pathlib import Path

import pytest
from made.captures import write_weights
from made.datasets import HASHES, dl3dv_members, made_views, write_dl3dv, write_kubric, write_re10k, write_zip
from made.evaluations import metrics, options
from safetensors.torch import load_file, save_file

from tokengs_nerfstudio.commands.evaluate import Run
from tokengs_nerfstudio.core import load_network
from tokengs_nerfstudio.core.checkpoint.loading import save_network
from tokengs_nerfstudio.core.network.config import PRESETS


@pytest.mark.parametrize("preset", ["dl3dv-2view", "re10k-2view", "kubric"])
def test_published_data_sets(tmp_path, preset):
    scenes = {"dl3dv-2view": HASHES[:3], "re10k-2view": ("key-0", "key-3"), "kubric": ()}[preset]
    write = {
        "dl3dv-2view": lambda folder: write_dl3dv(folder, benchmark=True),
        "re10k-2view": lambda folder: write_re10k(folder, split="test"),
        "kubric": write_kubric,
    }[preset]
    write(tmp_path / "data")
    index = tmp_path / "index.json"
    index.write_text(json.dumps({scene: {"context": [0, 4, 6], "target": [0, 2, 6]} for scene in [*scenes, "gone"]}))
    chosen = options(tmp_path, preset=preset, size=(16, 24), views=None, index=index if scenes else None, lpips="alex")
    Run(chosen).evaluate()
    content = metrics(tmp_path / "out")
    assert content["about"]["missing"] == (["gone"] if scenes else [])
    assert len(content["scenes"]) == (len(scenes) or 2)
    assert content["about"]["size"] == [16, 24]
    assert content["about"]["context_views"] == (3 if scenes else 4)
    counted = len(content["scenes"][0]["views"]["psnr"])
    assert counted == (3 if scenes else 5)


def published(tmp_path: Path, preset: str, monkeypatch) -> Path:
    """A small file in the published layout that says nothing of itself, and the preset that it is of."""
    changes = {"image_size": (16, 24), "tokens": 16, "num_context": 2, "scale": "constant", "scale_value": 0.5}
    network = load_network(write_weights(tmp_path / "own.safetensors", anchors=preset == "locus", **changes))
    monkeypatch.setitem(PRESETS, preset, network.config)
    save_network(network, tmp_path / "told.safetensors", layout="published")
    file = tmp_path / f"{preset}.safetensors"
    save_file(load_file(tmp_path / "told.safetensors"), file)
    return file


@pytest.mark.parametrize(("preset", "images"), [("base", (18, 32)), ("locus", (9, 16))])
def test_published_weights_have_their_size_scale_images_and_half_pixel(tmp_path, preset, images, monkeypatch):
    members = dl3dv_members(made_views(1), f"{HASHES[0]}/gaussian_splat", "images_4", "images_8")
    write_zip(tmp_path / "data" / f"{HASHES[0]}.zip", members)
    index = tmp_path / "index.json"
    index.write_text(json.dumps({HASHES[0]: {"context": [0, 6], "target": [3]}}))
    weights = str(published(tmp_path, preset, monkeypatch))
    run = Run(options(tmp_path, preset="dl3dv-2view", checkpoint=weights, views=None, index=index))
    assert run.benchmark.case(HASHES[0], True).scene.image_size == images
    run.evaluate()
    about = metrics(tmp_path / "out")["about"]
    assert (about["size"], about["crop"]) == ([16, 24], "published")
    assert about["images"] == {"base": None, "locus": "images_8"}[preset]
    own = Run(options(tmp_path, preset="dl3dv-2view", views=None, index=index, output=tmp_path / "own"))
    assert (own.framing.size, own.framing.published_rounding) == ((256, 448), False)
    assert own.benchmark.case(HASHES[0], True).scene.image_size == (18, 32)
    other = Run(options(tmp_path, preset="dl3dv-2view", checkpoint=weights, views=None, index=index, images="images_8"))
    assert other.benchmark.case(HASHES[0], True).scene.image_size == (9, 16)
    views = made_views(1)
    assert (run.scaling.factor(views), own.scaling.factor(views)) == (0.5, None)
