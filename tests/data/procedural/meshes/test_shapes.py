import numpy as np

from tokengs_nerfstudio.data.procedural.meshes.shapes import BUILT_IN, Shape


def test_a_ball_is_round_closed_and_wears_its_texture_three_times():
    ball = next(built for built in BUILT_IN if built.shape is Shape.BALL)
    corners = ball.corners.astype(float)
    np.testing.assert_allclose(np.linalg.norm(corners, axis=-1), 1.0, atol=1e-6)
    # Of a polyhedron that is nearly the unit ball: its volume by the divergence theorem, its surface.
    volume = abs(np.einsum("ti,ti->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)
    surface = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1).sum() / 2
    assert 0.93 < volume / (4 / 3 * np.pi) < 1
    assert 0.95 < surface / (4 * np.pi) < 1
    assert ball.uvs[..., 0].max() == 3
    assert ball.uvs[..., 1].max() == 1
    assert BUILT_IN[-1] is ball  # at the end, so that the numbers of all others stay
