"""Tokens as variables."""

from dataclasses import replace

import pytest
import torch
from made.scenes import blobs
from made.training import SMALL, random_views
from made.tuning import ready, tuning_config
from torch import Tensor

from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.core.tuning.tokens import TokenPlan, TokenStage
from tokengs_nerfstudio.core.types import Gaussians


def test_tokens_are_decoded_again_only_after_they_moved() -> None:
    decoded: list[float | None] = []

    def decode(tokens: Tensor, time: float | None) -> Gaussians:
        decoded.append(time)
        scene = blobs(3).unsqueeze()
        return replace(scene, means=scene.means * tokens.mean())

    variables = TokenStage("tokens", torch.ones(1, 2, 4), decode, TokenPlan(rate=0.1, decay=1.0))
    with torch.no_grad():
        first = [variables.splats(time) for time in (None, 0.5, None, 0.5)]
    assert decoded == [None, 0.5]
    variables.splats(0.5).means.sum().backward()
    before, kept = variables.snapshot(), first[0].means.clone()
    variables.step(0.0)
    with torch.no_grad():
        assert not torch.equal(variables.splats().means, kept)
        variables.restore(before)
        assert torch.equal(variables.splats().means, kept)
    assert decoded == [None, 0.5, 0.5, None, None]


@pytest.mark.parametrize("bounded", [False, True])
def test_tokens_of_an_anchored_network_are_tuned_around_its_anchors(bounded: bool) -> None:
    network = TokenGSNetwork(replace(SMALL, anchors=True, bounded=bounded), initial=SCRATCH)
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    tuning = SceneTuning(network, ready(random_views(1, 4).squeeze()), tuning_config(space="tokens"), steps=12)
    losses = []
    while not tuning.finished:
        losses.append(float(tuning.step()["loss"]))
    assert sum(losses[-4:]) < sum(losses[:4])
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())
    assert tuning.gaussians().means.isfinite().all()
