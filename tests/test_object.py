"""An object on a turntable, through nerfstudio's floor: weights of Object TokenGS, masks or cut-outs, white behind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from made.captures import SMALL_NETWORK, START
from made.cut_outs import write_cut_outs, write_masked
from made.tuning import tuning_config
from nerfstudio.utils.eval_utils import eval_setup
from safetensors.torch import save_file

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.core.checkpoint.key_table import to_published
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.types import RenderConfig
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig
from tokengs_nerfstudio.trainer import TokenGSTrainer, TokenGSTrainerConfig


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file as the published one is: no header, and an architecture that no other preset has; but small."""
    sizes = {"width": 32, "heads": 2, "encoder_depth": 2, "tokens": 32, "gaussians_per_token": 8}
    small = replace(PRESETS["object"], **sizes, image_size=SMALL_NETWORK.image_size, num_context=4)
    monkeypatch.setitem(PRESETS, "object", small)
    tensors = TokenGSNetwork(small, initial=START).state_dict()
    names = to_published(tensors, multiscale=False)
    save_file({names[key]: tensor for key, tensor in tensors.items()}, tmp_path / "lifting.safetensors")
    return tmp_path / "lifting.safetensors"


def trained(capture: Path, weights: Path, output: Path) -> TokenGSTrainer:
    config: TokenGSTrainerConfig = yaml.load(yaml.dump(tokengs.config), Loader=yaml.Loader)
    config.output_dir, config.experiment_name, config.timestamp = output, "ball", "run"
    config.vis, config.max_num_iterations = "tensorboard", 40
    config.pipeline.datamanager.dataparser = TokenGSDataParserConfig(data=capture)
    config.pipeline.model.checkpoint = str(weights)
    config.pipeline.model.tuning = tuning_config(space="gaussians", levels=((0.0, 1.0),), growth_every=10)
    config.viewer.quit_on_train_completion = True
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    config.save_config()
    trainer.train()
    return trainer


@pytest.mark.parametrize("write", [write_cut_outs, write_masked])
def test_an_object_on_a_turntable_is_reconstructed_alone_before_white(
    write: Callable[[Path], Path], weights: Path, tmp_path: Path
) -> None:
    trainer = trained(write(tmp_path / "ball"), weights, tmp_path)
    pipeline = trainer.pipeline
    assert float(pipeline.model.background_color[0]) == 1.0
    views = pipeline.datamanager.views(range(8), 48, 48, background=1.0)
    assert views.masks is None
    assert views.alphas is not None
    assert (views.images[:, :, 0, 0] == 1).all()
    baked = bridge.baked_scene(dict(pipeline.model.gauss_params.items()), RenderConfig())
    alpha = render_cameras(baked.still, views.cameras, RenderConfig(near=0.01), depth=False).alpha
    assert float(alpha[views.alphas < 0.01].mean()) <= 0.08  # masks cut hard where the ball is soft
    assert float(alpha[views.alphas > 0.99].mean()) > 0.7
    held_out = pipeline.get_average_eval_image_metrics()
    assert held_out["psnr"] > 17
    # A finished run knows without its weights that masks cut out.
    weights.unlink()
    config = tmp_path / "ball/tokengs/run/config.yml"
    again = eval_setup(config, test_mode="test")[1].get_average_eval_image_metrics()
    assert again["psnr"] == pytest.approx(held_out["psnr"], abs=1e-3)


def test_what_the_network_gives_lies_in_its_box_around_the_object(weights: Path, tmp_path: Path) -> None:
    trainer = trained(write_masked(tmp_path / "ball", count=6), weights, tmp_path)
    prepared = trainer.pipeline.model.prepared_scene()
    network = trainer.pipeline.model.load_network()
    with torch.no_grad():
        splats = network.decode(network.encode(prepared.example.context.unsqueeze()))
    assert float(splats.means.abs().max()) <= 1.0
    nearest = prepared.example.context.c2w[:, :3, 3].norm(dim=-1).min()
    assert 0.7 < float(nearest) < 4.0
