"""Tokens as variables."""

from dataclasses import replace

import torch
from made.scenes import blobs
from torch import Tensor

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
