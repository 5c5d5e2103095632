"""Tokens and Gaussians followed over time."""

from dataclasses import replace

import pytest
import torch
from made.scenes import arc_cameras, blobs, photos, small_network

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.decoder_inputs import moving_tokens
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.network.tracks import tracks
from tokengs_nerfstudio.core.types import Views

TIMES = (0.0, 0.25, 1.0)


def context() -> Views:
    return replace(photos(blobs(), arc_cameras(3)), times=torch.tensor([0.0, 0.5, 1.0])).unsqueeze()


def network(**changes: object) -> TokenGSNetwork:
    made = small_network(**changes)
    if made.target_time_embedding is not None:
        torch.nn.init.normal_(made.target_time_embedding.conv.weight, std=0.03)
    return made


def test_dynamic_tokens_move_as_they_are_decoded_and_static_ones_stand_still():
    moving = network(tokens=6, dynamic_tokens=4, time_channels=2)
    with torch.no_grad():
        memory = moving.encode(context())
        decoded = [moving.decode(memory, time=time) for time in TIMES]
    found = tracks(moving, memory, TIMES)
    assert found.gaussians.shape == (1, 3, 80, 3)
    assert found.tokens.shape == (1, 3, 10, 3)
    assert found.moving.tolist() == [False] * 6 + [True] * 4
    for place, splats in enumerate(decoded):
        torch.testing.assert_close(found.gaussians[:, place], splats.means)
    assert (found.tokens[0, :, :6] == found.tokens[0, :1, :6]).all()
    assert ((found.tokens[0, 2, 6:] - found.tokens[0, 0, 6:]).norm(dim=-1) > 1e-3).all()
    weights = torch.stack([splats.opacities for splats in decoded]).mean(0)[0, :8, None]
    of_first = (decoded[1].means[0, :8] * weights).sum(0) / weights.sum()
    torch.testing.assert_close(found.tokens[0, 1, 0], of_first)


def test_tuned_tokens_have_their_own_tracks():
    moving = network(tokens=6, dynamic_tokens=4, time_channels=2)
    with torch.no_grad():
        memory, tuned = moving.encode(context()), moving.initial_tokens(1) + 0.3
    usual, other = tracks(moving, memory, TIMES), tracks(moving, memory, TIMES, tuned)
    assert (usual.tokens - other.tokens).abs().max() > 1e-3


def test_who_moves_follows_from_what_a_target_time_reaches():
    timed, still = network(tokens=6, time_channels=2), network(tokens=6)
    assert moving_tokens(6, timed.config).all()
    assert not moving_tokens(6, still.config).any()
    with torch.no_grad():
        found = tracks(still, still.encode(context()), TIMES)
    assert (found.gaussians == found.gaussians[:, :1]).all()


def test_no_times_are_refused():
    still = network(tokens=6)
    with torch.no_grad(), pytest.raises(UserError, match="at least one time"):
        tracks(still, still.encode(context()), [])
