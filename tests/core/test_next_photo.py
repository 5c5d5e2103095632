"""Where the next photo would help most."""

import torch
from made.scenes import arc_cameras, blobs

from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.core.next_photo import best_place, places_beside, unsure_share
from tokengs_nerfstudio.core.types import Cameras, RenderConfig

SIZE, USUAL = 48, RenderConfig()


def cameras(count: int = 3) -> Cameras:
    side = torch.full((count,), float(SIZE))
    return Cameras(arc_cameras(count), intrinsics_matrix(side, side, side / 2, side / 2), SIZE, SIZE)


def test_places_look_at_the_same_point_from_where_their_words_say() -> None:
    given = cameras()
    places = {place.where: place.camera.c2w[0] for place in places_beside(blobs(), given, 1)}
    focus = torch.tensor([0.0, 0.0, 2.0])
    for pose in places.values():
        away = focus - pose[:3, 3]
        torch.testing.assert_close(away.norm(), torch.tensor(2.0), atol=1e-3, rtol=0)
        torch.testing.assert_close(pose[:3, 2], away / away.norm(), atol=1e-3, rtol=0)
        torch.testing.assert_close(pose[:3, :3].mT @ pose[:3, :3], torch.eye(3), atol=1e-5, rtol=0)
    assert places["to the right of"][0, 3] > 0.5
    assert places["to the left of"][0, 3] < -0.5
    assert places["above"][1, 3] < -0.5  # y looks down
    assert places["below"][1, 3] > 0.5


def test_the_next_photo_is_to_be_taken_on_the_side_that_nobody_is_sure_of() -> None:
    scene, given = blobs(60), cameras()
    # What faces the right side is unknown, and hides what is known from there.
    side = scene.means[:, 0]
    for doubtful, where in ((side > 0.3, "to the right of"), (side < -0.3, "to the left of")):
        place = best_place(scene, 1.0 - doubtful.float(), given, USUAL)
        assert place.where == where
        assert place.unsure > unsure_share(scene, 1.0 - doubtful.float(), given[1:2], USUAL)
    nothing = best_place(scene, torch.ones(60), given, USUAL)
    assert nothing.unsure < 1e-6
