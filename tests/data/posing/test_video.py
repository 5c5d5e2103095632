import numpy as np
import pytest
from made.walk import camera, picture, write_film
from PIL import Image

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.posing.video import Glimpse, choose, is_video, motion_between, survey, write_frames


def test_each_stretch_of_the_way_gives_its_sharpest_frame():
    # The camera rests for the first half, and moves evenly in the second.
    glimpses = [Glimpse(k, 1.0 + (k % 5 == 2), 0.0 if k < 50 else 0.02) for k in range(100)]
    frames = choose(glimpses, 10)
    assert len(frames) == 10
    assert sum(frame < 50 for frame in frames) <= 1
    assert all(frame % 5 == 2 for frame in frames)
    assert choose(glimpses, 1000) == choose(glimpses, 33)  # no two frames show the same


def test_who_stands_still_is_told_to_walk():
    with pytest.raises(UserError, match="hardly moves in the 100 frames"):
        choose([Glimpse(k, 1.0, 0.0005) for k in range(100)], 10)


def test_motion_is_measured_in_pictures():
    seen = picture(camera(0.5))[..., 1].copy()
    assert motion_between(seen, np.roll(seen, 8, axis=1)) == pytest.approx(8 / 320, rel=0.1)
    assert motion_between(seen, seen) < 1e-3
    plain = np.full_like(seen, 90)
    assert motion_between(plain, plain) == 0.01


def test_frames_are_found_by_their_number(tmp_path):
    pictures = [np.full((240, 320, 3), 4 * k, np.uint8) for k in range(50)]
    film = write_film(tmp_path / "grey.mp4", pictures)
    assert [glimpse.frame for glimpse in survey(film)] == list(range(50))
    files = write_frames(film, [0, 7, 8, 49], tmp_path)
    assert [file.name for file in files] == [f"frame_{k:06d}.jpg" for k in (0, 7, 8, 49)]
    levels = [np.asarray(Image.open(file)).mean() / 4 for file in files]
    np.testing.assert_allclose(levels, [0, 7, 8, 49], atol=0.6)


def test_what_is_no_video_is_refused_by_name(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"the video .*text\.mp4 cannot be read"):
        survey(tmp_path / "text.mp4")
    with pytest.raises(MissingFileError, match="there is no video"):
        survey(tmp_path / "gone.mp4")
    assert is_video(tmp_path / "A.MOV")
    assert not is_video(tmp_path / "a.png")
