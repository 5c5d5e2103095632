"""The method's part of the viewer: where it opens, what it marks, what its controls do."""

import re
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from made.browsers import PATIENCE, browser
from made.captures import write_blobs, write_weights
from made.viewers import ENCODING, WINDOW, Somebody, StandIn, alike, window_of
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.utils.eval_utils import eval_setup
from nerfstudio.viewer.utils import parse_object
from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO, Viewer
from nerfstudio.viewer.viewer_elements import ViewerControl, ViewerElement
from viser.transforms import SO3

from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.pipeline import TokenGSPipeline
from tokengs_nerfstudio.trainer import TokenGSTrainer, TokenGSTrainerConfig
from tokengs_nerfstudio.viewer import OpeningView


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("viewer")
    write_blobs(folder / "scene")
    write_weights(folder / "small.safetensors")
    return folder


def configuration(places: Path, name: str, steps: int = 4) -> TokenGSTrainerConfig:
    config: TokenGSTrainerConfig = yaml.load(yaml.dump(tokengs.config), Loader=yaml.Loader)
    config.output_dir, config.experiment_name, config.timestamp = places / "outputs", "scene", name
    config.vis, config.max_num_iterations = "tensorboard", steps
    config.pipeline.datamanager.data = places / "scene"
    config.pipeline.model.checkpoint = str(places / "small.safetensors")
    config.pipeline.model.tuning.space = "gaussians"
    config.save_config()
    return config


@pytest.fixture(scope="module")
def run(places) -> TokenGSPipeline:
    """A scene in tuning."""
    config = configuration(places, "running", steps=120)
    trainer: TokenGSTrainer = config.setup()
    trainer.setup()
    for step in range(120):
        trainer.pipeline.get_train_loss_dict(step)
    trainer.pipeline.model.eval()
    trainer.save_checkpoint(119)
    return trainer.pipeline


def finished(run: TokenGSPipeline, places: Path) -> TokenGSPipeline:
    assert run.model.tuning is not None
    return eval_setup(places / "outputs/scene/tokengs/running/config.yml")[1]  # type: ignore[return-value]


def elements(pipeline: TokenGSPipeline) -> set[str]:
    return {path.rpartition("/")[2] for path, _ in parse_object(pipeline, ViewerElement, "Custom Elements")}


def picture(pipeline: TokenGSPipeline, camera: Cameras | None = None) -> torch.Tensor:
    return pipeline.model.get_outputs_for_camera(pipeline.train_cameras[:1] if camera is None else camera)["rgb"]


def test_it_opens_where_the_first_context_photo_was_taken(run):
    """What is seen there agrees better with that photo than with its mean colour."""
    somebody = Somebody()
    viewer = StandIn([somebody])
    OpeningView(run)._setup(viewer)
    photo = run.datamanager.train_dataset[run.context[0]]["image"]
    shown = picture(run, somebody.seen_from(*photo.shape[:2]))
    assert alike(shown, photo) > alike(photo.mean((0, 1)).expand_as(photo), photo) + 3
    assert viewer.control_panel._max_res.value == 1024


def test_whoever_comes_later_is_welcomed_and_sees_sharp_pictures(run):
    somebody, viewer = Somebody(), StandIn([])
    OpeningView(run)._setup(viewer)
    viewer.connected[0](somebody)
    assert somebody.camera.fov == pytest.approx(2 * np.arctan(20 / 60), abs=1e-3)
    assert viewer.render_statemachines[0].transitions["low_move"]["static"] == "high"


def test_context_cameras_are_marked_anew_with_the_context(run):
    viewer = StandIn([])
    view = OpeningView(run)
    view._setup(viewer)
    assert set(viewer.marks) == {f"/context/camera_{place:05d}" for place in run.context}
    assert {mark["color"] for mark in viewer.marks.values()} == {(255, 140, 0)}
    first = viewer.marks[f"/context/camera_{run.context[0]:05d}"]
    expected = run.train_cameras[run.context[0]].camera_to_worlds[:, 3].numpy() * VISER_NERFSTUDIO_SCALE_RATIO
    np.testing.assert_allclose(first["position"], expected, rtol=1e-5)
    before = run.context
    try:
        run.context = [0]
        view.refresh()
        assert set(viewer.marks) == {"/context/camera_00000"}
    finally:
        run.context = before


def test_every_control_changes_the_picture(run):
    tuned = picture(run)
    try:
        run.minimum_opacity.value = 0.8  # type: ignore[attr-defined]
        run.minimum_opacity.cb_hook(run.minimum_opacity)  # type: ignore[attr-defined]
        clear = picture(run)
        run.model.set_minimum_opacity(0.0)
        run.show_feed_forward(True)
        predicted = picture(run)
        run._controls.context_views.value = "0 1"
        run._controls.encode_again.cb_hook(run._controls.encode_again)
        other_views = picture(run)
        run._controls.number_of_tokens.value = 8
        run._controls.encode_again.cb_hook(run._controls.encode_again)
        fewer_tokens = picture(run)
        run.show_feed_forward(False)
        torch.testing.assert_close(picture(run), tuned)
    finally:
        run.model.set_minimum_opacity(0.0)
        run.model.show_feed_forward(False)
    pictures = [tuned, clear, predicted, other_views, fewer_tokens]
    for first, second in zip(pictures[:1] * 3 + pictures[2:], pictures[1:4] + pictures[3:]):
        assert float((first - second).abs().max()) > 0.02
    assert run._controls.message.value == "2 views, 8 tokens"


@pytest.mark.parametrize(
    ("text", "said"), [("", "write 0 3 7"), ("0 x", "write 0 3 7"), ("1 1", "twice"), ("0 99", "99")]
)
def test_context_views_that_cannot_be_are_said(run, text, said):
    run._controls.context_views.value = text
    run._controls.encode_again.cb_hook(run._controls.encode_again)
    assert said in run._controls.message.value
    assert not run.model.view.feed_forward


def test_evaluation_sees_nothing_of_what_is_set(run):
    before = run.get_average_eval_image_metrics()
    run.model.set_minimum_opacity(0.9)
    run.model.set_background(torch.zeros(3))
    try:
        after = run.get_average_eval_image_metrics()
    finally:
        run.model.set_minimum_opacity(0.0)
        run.model.bake()
    assert after["psnr"] == before["psnr"]


def test_a_finished_run_encodes_only_with_weights_and_photos(run, places):
    pipeline = finished(run, places)
    assert elements(pipeline) == ENCODING | {"minimum_opacity"}
    assert pipeline.context == run.context
    assert pipeline._controls.context_views.value == " ".join(map(str, run.context))
    outputs = pipeline.model.get_outputs_for_camera(pipeline.train_cameras[:1])
    tuned, tokens = outputs["rgb"], outputs["token"]
    torch.testing.assert_close(tokens, run.model.get_outputs_for_camera(run.train_cameras[:1])["token"])
    pipeline.show_feed_forward(True)
    assert float((picture(pipeline) - tuned).abs().max()) > 0.02
    weights = places / "small.safetensors"
    weights.rename(places / "away")
    try:
        assert elements(finished(run, places)) == {"minimum_opacity"}
    finally:
        (places / "away").rename(weights)


def test_the_viewer_finds_the_opening_view(run):
    assert [control for _, control in parse_object(run, ViewerControl, "Custom Elements")] == [run.opening_view]


def test_time_is_asked_for_only_where_weights_know_it(run):
    """The capture has no times, the weights know none; for a scene that moves see the frozen runs."""
    assert run.datamanager.includes_time is False


def test_the_run_says_where_it_is(run):
    """What is logged without a terminal."""
    assert run.steps_left == 0
    assert re.fullmatch(
        r"Tuning finished: step 120 of 120, loss 0\.1000, \d+\.\d dB on the first photo", run.status(0.1)
    )


def test_nerfstudios_viewer_takes_all_of_it(run, tmp_path):
    """The real server, without a browser: elements and marks are installed."""
    config = TokenGSTrainerConfig().viewer
    config.websocket_port, config.websocket_host = 7931, "127.0.0.1"
    viewer = Viewer(config, tmp_path / "log.txt", tmp_path, run)
    try:
        assert {path.rpartition("/")[2] for path, _ in viewer.viewer_elements} == ENCODING | {"minimum_opacity"}
        assert viewer.control_panel.max_res == 1024
        assert run.opening_view.viser_server is viewer.viser_server
        assert viewer.include_time is False
    finally:
        viewer.viser_server.stop()
        for _, element in viewer.viewer_elements:
            element.gui_handle = None
        del run.opening_view.viser_server


def test_turned_cameras_keep_their_up(run):
    """`Somebody` turns as viser does: checked against a camera whose axes are known."""
    somebody = Somebody()
    somebody.camera = SimpleNamespace(position=(0, 0, 10), look_at=(0, 0, 0), up_direction=(0, 1, 0), fov=1.0)
    expected = SO3.identity().as_matrix()
    np.testing.assert_allclose(somebody.seen_from(4, 4).camera_to_worlds[0, :, :3].numpy(), expected, atol=1e-6)


@pytest.mark.slow
def test_a_browser_shows_the_first_context_photo(run, tmp_path):
    """Headless Chromium, where there is one: the middle of its window against the photo, once it is drawn; over the
    photo's own grey, for nerfstudio's viewer puts a colour of its panel behind splats."""
    photo = run.datamanager.train_dataset[run.context[0]]["image"]
    flat = alike(photo.mean((0, 1)).expand_as(photo), photo)
    config = TokenGSTrainerConfig().viewer
    config.websocket_port, config.websocket_host = 7932, "127.0.0.1"
    viewer = Viewer(config, tmp_path / "log.txt", tmp_path, run)
    try:
        viewer.init_scene(run.datamanager.train_dataset, "completed")
        viewer.control_panel.background_color = (128, 128, 128)
        with browser(tmp_path) as page:
            page.open("http://127.0.0.1:7932", *WINDOW)
            end, shown = time.monotonic() + PATIENCE, torch.zeros_like(photo)
            while alike(shown, photo) <= flat and time.monotonic() < end:
                time.sleep(2)
                shown = window_of(page.picture(), *photo.shape[:2])
    finally:
        run.model.bake()
        viewer.viser_server.stop()
        for _, element in viewer.viewer_elements:
            element.gui_handle = None
        del run.opening_view.viser_server
    assert alike(shown, photo) > flat
