"""A finished run: how sure it is, and where another photo would help."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.scenes import arc_cameras, blobs
from PIL import Image

from tokengs_nerfstudio.core.baking import BakedScene
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.rays import intrinsics_matrix
from tokengs_nerfstudio.data.finished_run import FinishedRun
from tokengs_nerfstudio.data.run_doctor import draw_next_photo, examine_run


def a_run() -> FinishedRun:
    """Sure on its left side and not on its right."""
    scene, side = blobs(40), torch.full((3,), 40.0)
    record = {
        "context": ["left.jpg", "middle.jpg", "right.jpg"],
        "context_c2w": arc_cameras(3),
        "context_intrinsics": intrinsics_matrix(side, side, side / 2, side / 2),
        "context_size": [40, 40],
    }
    confidence = torch.where(scene.means[:, 0] > 0.2, 0.05, 0.8)
    return FinishedRun(Path("step-000000001.ckpt"), BakedScene(scene), record, confidence)


def test_it_says_where_it_is_not_sure_and_draws_that(tmp_path: Path) -> None:
    run = a_run()
    found = examine_run(run)
    assert found.place.where == "to the right of"
    assert found.beside in run.record["context"]
    assert found.unsure["right.jpg"] > found.unsure["left.jpg"]
    assert found.doubtful == pytest.approx(float((run.confidence < 0.3).float().mean()))
    text = "\n".join(found.lines())
    assert f"next      a photo a step to the right of {found.beside}" in text
    assert found.as_dict()["next"]["beside"] == found.beside  # type: ignore[index]
    draw_next_photo(run, found, tmp_path / "next.png")
    picture = Image.open(tmp_path / "next.png")
    assert picture.size == (3 * 320 + 16, 320)
    colors = picture.getcolors(maxcolors=1 << 20)
    assert (230, 89, 0) in {color for _, color in colors}


def test_a_run_without_confidence_is_told_what_to_do() -> None:
    with pytest.raises(UserError, match="older version"):
        examine_run(replace(a_run(), confidence=None))
