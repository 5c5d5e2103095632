"""Cut-out photos through nerfstudio's floor: from RGBA files and Blender's scenes to an object without a backdrop."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from made.captures import write_weights
from made.cut_outs import cut_out_views, write_cut_outs
from made.tuning import tuning_config
from nerfstudio.data.dataparsers.base_dataparser import DataParserConfig
from nerfstudio.data.dataparsers.blender_dataparser import BlenderDataParserConfig
from PIL import Image

from tokengs_nerfstudio import bridge
from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.core.rendering import render_cameras
from tokengs_nerfstudio.core.types import RenderConfig
from tokengs_nerfstudio.data import NerfstudioCapture
from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig
from tokengs_nerfstudio.dataset import SceneDataset
from tokengs_nerfstudio.trainer import TokenGSTrainer, TokenGSTrainerConfig


def trained(parser: DataParserConfig, output: Path) -> TokenGSTrainer:
    config: TokenGSTrainerConfig = yaml.load(yaml.dump(tokengs.config), Loader=yaml.Loader)
    config.output_dir, config.experiment_name, config.timestamp = output, "ball", "run"
    config.vis, config.max_num_iterations = "tensorboard", 80
    config.pipeline.datamanager.dataparser = parser
    config.pipeline.model.checkpoint = str(write_weights(output / "small.safetensors"))
    config.pipeline.model.tuning = tuning_config(space="gaussians", levels=((0.0, 1.0),), growth_every=10)
    config.viewer.quit_on_train_completion = True
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    trainer.train()
    return trainer


@pytest.mark.parametrize("parser", [TokenGSDataParserConfig, BlenderDataParserConfig])
def test_what_is_baked_of_cut_out_photos_has_no_backdrop(tmp_path, parser):
    folder = write_cut_outs(tmp_path / "ball", blender=parser is BlenderDataParserConfig)
    trainer = trained(parser(data=folder), tmp_path)
    pipeline = trainer.pipeline
    views = pipeline.datamanager.views(range(8), 48, 48)
    assert views.alphas is not None
    baked = bridge.baked_scene(dict(pipeline.model.gauss_params.items()), RenderConfig())
    alpha = render_cameras(baked.still, views.cameras, RenderConfig(near=0.01), depth=False).alpha
    assert float(alpha[views.alphas < 0.01].mean()) <= 0.05
    assert float(alpha[views.alphas > 0.99].mean()) > 0.8
    held_out = pipeline.get_average_eval_image_metrics()
    assert held_out["psnr"] > 20


def test_both_readers_see_the_same_opacities(tmp_path):
    folder = write_cut_outs(tmp_path / "ball", count=4, size=40)
    capture = NerfstudioCapture(folder)
    ours, made = capture.load(range(4)), cut_out_views(4, 40)
    dataset = SceneDataset(TokenGSDataParserConfig(data=folder).setup().get_dataparser_outputs("train"))
    photos = [dataset.get_data(index, "uint8")["image"] for index in range(4)]
    theirs = bridge.views_from_cameras(dataset.cameras, photos, 40, 40)
    for views in (ours, theirs):
        assert views.alphas is not None
        torch.testing.assert_close(views.alphas, made.alphas, atol=0.003, rtol=0)
        torch.testing.assert_close(views.images, made.images, atol=0.01, rtol=0)
    torch.testing.assert_close(ours.alphas, theirs.alphas, atol=1e-6, rtol=0)


def test_opaque_photos_beside_cut_out_ones_are_opaque(tmp_path):
    folder = write_cut_outs(tmp_path / "ball", count=4)
    photo = folder / "images/001.png"
    Image.open(photo).convert("RGB").save(photo)
    views = NerfstudioCapture(folder).load([1, 2])
    assert views.alphas is not None
    assert (views.alphas[0] == 1).all()
    assert (views.alphas[1] == 0).any()
    for path in (folder / "images").iterdir():
        Image.open(path).convert("RGB").save(path)
    assert NerfstudioCapture(folder).load([1]).alphas is None


def test_colours_do_not_mix_with_what_is_cut_away_where_photos_are_straightened(tmp_path):
    folder = tmp_path / "red"
    (folder / "images").mkdir(parents=True)
    picture = np.zeros((60, 80, 4), np.uint8)
    picture[:, 30:] = (200, 0, 0, 255)
    Image.fromarray(picture).save(folder / "images/a.png")
    lens = {"fl_x": 80.0, "fl_y": 80.0, "cx": 40.0, "cy": 30.0, "w": 80, "h": 60, "k1": 0.2}
    frames = [{"file_path": "images/a.png", "transform_matrix": np.eye(4).tolist()}]
    (folder / "transforms.json").write_text(json.dumps(lens | {"frames": frames}))
    dataset = SceneDataset(TokenGSDataParserConfig(data=folder).setup().get_dataparser_outputs("train"))
    image = dataset.get_data(0, "uint8")["image"]
    partly = (image[..., 3] > 5) & (image[..., 3] < 250)
    assert partly.any()
    assert (image[..., 0][image[..., 3] > 5].int() - 200).abs().max() <= 2
    straight = dataset.get_data(0, "float32")["image"]
    torch.testing.assert_close(straight, image / 255, atol=0.005, rtol=0)
