"""One scene through a network."""

import math

import pytest
import torch
from made.datasets import write_kubric
from made.evaluations import OWN, WHOLE, Sequence
from made.scenes import small_network

from tokengs_nerfstudio.core.evaluation import score, shown
from tokengs_nerfstudio.core.losses.ssim import ssim
from tokengs_nerfstudio.core.preparation import prepare
from tokengs_nerfstudio.core.tuning.config import TuningConfig
from tokengs_nerfstudio.data import ViewSelection
from tokengs_nerfstudio.data.kubric import kubric_scenes
from tokengs_nerfstudio.evaluation.cases import Case, LoadedCase, load
from tokengs_nerfstudio.evaluation.measuring import Tuning, mean, measure

VIEWS = ViewSelection([0, 4, 8], [1, 2, 3, 4, 5, 6, 7, 9, 10, 11])


@pytest.fixture(scope="module")
def photos() -> LoadedCase:
    return load(Case(Sequence(12), VIEWS, ()), VIEWS, WHOLE, OWN)


def test_scores_are_those_of_the_pictures_one_by_one(photos):
    network = small_network()
    found = measure(network, photos)
    scene = prepare(network, photos.example)
    with torch.no_grad():
        splats = network(scene.example.context.unsqueeze()).squeeze()
    pictures = shown(splats, scene.example.target, network.config.rendering(scene.example)).clamp(0, 1)
    torch.testing.assert_close(found.pictures, pictures)
    expected = score(pictures, photos.example.target.images)
    assert found.scores["psnr"] == pytest.approx(expected.psnr.tolist(), abs=1e-5)
    assert found.scores["ssim"] == pytest.approx(expected.ssim.tolist(), abs=1e-6)
    ours = ssim(pictures[:, None], photos.example.target.images[:, None])
    assert found.scores["training_ssim"] == pytest.approx(ours.tolist(), abs=1e-6)
    assert found.means["psnr"] == pytest.approx(float(expected.psnr.mean()), abs=1e-5)
    assert found.means["gaussians"] == network.num_gaussians
    assert set(found.costs) == {"gaussians", "encode_seconds", "decode_seconds"}
    assert min(found.costs.values()) > 0


def test_trivial_answers_are_of_novel_views_alone(photos):
    found = measure(small_network(), photos)
    assert all(math.isfinite(found.trivial[name]) for name in ("mean_colour", "nearest_photo"))
    seen = ViewSelection([0, 4], [0, 4])
    again = measure(small_network(), load(Case(Sequence(12), seen, ()), seen, WHOLE, OWN))
    assert again.trivial == {}


def test_tuning_sees_the_context_alone_and_makes_it_better(photos):
    network = small_network()
    before = measure(network, photos)
    tuning = Tuning(TuningConfig(space="gaussians"), 20)
    after = measure(network, photos, tuning)
    assert after.costs["tuning_seconds"] > 0
    assert after.scores["psnr"][3] > before.scores["psnr"][3] + 0.5  # frame 4 is in the context
    # Were targets supervising, others would change the result.
    fewer = LoadedCase(
        type(photos.example)(photos.example.context, photos.example.target.select([3])), photos.supervised, None, ()
    )
    assert measure(network, fewer, tuning).scores["psnr"] == pytest.approx([after.scores["psnr"][3]], abs=1e-4)


def test_a_rehearsal_changes_nothing(photos):
    tuning = Tuning(TuningConfig(space="tokens"), 3)
    once, twice = (measure(small_network(), photos, tuning, rehearsed=rehearsed) for rehearsed in (True, False))
    assert once.scores == twice.scores


def test_what_moves_is_shown_at_the_time_of_each_target(tmp_path):
    network = small_network(time_channels=2, dynamic_tokens=8)
    assert network.target_time_embedding is not None
    torch.nn.init.normal_(network.target_time_embedding.conv.weight, std=3.0)
    scene = kubric_scenes(write_kubric(tmp_path, count=1))[0]
    views = ViewSelection([0, 8, 17], [5, 0, 17])
    found = measure(network, load(Case(scene, views, ()), views, WHOLE, OWN))
    for place, time in ((0, 1.0), (1, 0.0), (2, 1.0)):
        view = found.scene.example.target.select([place])
        with torch.no_grad():
            picture = shown(found.splats_at(time), view, found.rendering).clamp(0, 1)
        torch.testing.assert_close(found.pictures[place], picture[0])
    assert not torch.equal(found.splats_at(0.0).means, found.splats_at(1.0).means)


def test_networks_without_time_decode_once_whatever_times_the_photos_have(tmp_path, monkeypatch):
    scene = kubric_scenes(write_kubric(tmp_path, count=1))[0]
    views = ViewSelection([0, 8, 17], [5, 0, 16])
    network, decoded = small_network(), []
    real = network.decode
    monkeypatch.setattr(network, "decode", lambda *args, **more: decoded.append(more["time"]) or real(*args, **more))
    measure(network, load(Case(scene, views, ()), views, WHOLE, OWN))
    assert decoded == [None, None]  # to see how long it takes, and for all pictures


def test_means_do_not_depend_on_the_order():
    values = [1e16, 1.0, -1e16, 3.5]
    assert mean(values) == mean(values[::-1]) == 4.5 / 4
