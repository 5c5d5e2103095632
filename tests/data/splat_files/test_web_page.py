"""The page to send to a friend: what is in it, where it opens, and what a browser shows of it."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made.browsers import Page, browser
from made.scenes import arc_cameras, blobs
from torch import Tensor

from tokengs_nerfstudio.core.rendering import render
from tokengs_nerfstudio.core.rotation import matrix_from_quaternion
from tokengs_nerfstudio.core.types import Cameras, Gaussians, RenderConfig
from tokengs_nerfstudio.data.splat_files.web_page import DISTANCE, Opening, write_page

WIDTH, HEIGHT = 240, 160
TIMES = [0.2, 0.5, 0.8]
RENDERING = RenderConfig(background=torch.tensor([0.2, 0.4, 0.6]))


def cameras(c2w: Tensor | None = None, focal: float = 100.0) -> Cameras:
    c2w = arc_cameras(3) if c2w is None else c2w
    intrinsics = torch.tensor([[focal, 0, 60], [0, focal, 40], [0, 0, 1]]).expand(len(c2w), 3, 3)
    return Cameras(c2w, intrinsics, 120, 80)


def states() -> list[Gaussians]:
    """Half of the blobs go to the right, the faster the later; one's quaternion changes its sign on the way."""
    still, moves = blobs(60), torch.arange(60) % 2 == 0
    way = moves[:, None] * torch.tensor([1.0, 0, 0])
    moved = [replace(still, means=still.means + by * way) for by in (0, 0.1, 0.5)]
    moved[1] = replace(moved[1], quats=-moved[1].quats)
    return moved


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "moving scene.html"
    write_page(path, "A <scene> & more", states(), TIMES, cameras(), RENDERING)
    return path


def test_it_needs_nothing_but_itself(written):
    text = written.read_text()
    assert "<title>A &lt;scene&gt; &amp; more</title>" in text
    assert "Permission is hereby granted" in text
    assert "@@" not in text
    assert not re.search(r"\b(src|href)\s*=\s*[\"']?\w+:", text)
    assert not re.search(r"\bimport\b[^\n]*\bfrom\b|@import|import\.meta", text)
    about = json.loads(re.search(r'id="scene">(.*?)</script>', text)[1])  # type: ignore[index]
    assert (about["still"], about["moving"], about["times"]) == (30, 30, TIMES)
    assert about["background"] == [51, 102, 153]


def test_a_hundred_thousand_gaussians_are_at_most_4_mb(tmp_path):
    many = blobs(100_000)
    write_page(tmp_path / "p.html", "many", [many], [], cameras(), RENDERING)
    assert (tmp_path / "p.html").stat().st_size <= 4e6


def test_it_opens_at_the_first_photo():
    for c2w in (arc_cameras(3), arc_cameras(3) @ torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))):
        opening = Opening.at(cameras(c2w), blobs(60).means)
        seen = opening.from_world.cameras(c2w[:1].double())[0]
        turn = torch.tensor([opening.alpha, opening.beta]).double()
        sine, cosine = turn.sin(), turn.cos()
        place = DISTANCE * torch.stack([sine[0] * cosine[1], -sine[1], -cosine[0] * cosine[1]])
        torch.testing.assert_close(seen[:3, 3], place, atol=1e-6, rtol=0)
        # It looks at the origin and holds the horizon level.
        torch.testing.assert_close(seen[:3, 2], -place / DISTANCE, atol=1e-6, rtol=0)
        assert abs(float(seen[1, 0])) < 1e-6
        assert opening.focal == pytest.approx((100 / 120, 100 / 80))


def test_cameras_that_look_down_and_a_photo_held_askew_have_a_frame():
    down = torch.eye(4).repeat(2, 1, 1)
    down[:, :3, 1], down[:, :3, 2] = torch.tensor([0.0, -1, 0]), torch.tensor([0.0, 0, -1])
    tilted = arc_cameras(3)
    tilted[0, :3, :2] = torch.stack([tilted[0, :3, 1], -tilted[0, :3, 0]], dim=1)
    for c2w in (down, tilted):
        rotation = Opening.at(cameras(c2w), blobs(9).means).from_world.rotation
        torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).double())
        assert float(torch.linalg.det(rotation)) == pytest.approx(1)


def expected(page: Page, scene: Gaussians) -> Tensor:
    """Our picture of a scene from where the page's camera is."""
    frame, pose = Opening.at(cameras(), states()[0].means).from_world, page.value("viewer.pose")
    x, y, z, w = pose["rotation"]
    c2w = torch.eye(4)
    c2w[:3, :3] = matrix_from_quaternion(torch.tensor([w, x, y, z], dtype=torch.float32))
    c2w[:3, 3] = torch.tensor(pose["position"])
    focal = pose["focal"]
    intrinsics = torch.tensor([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1.0]])
    moved = scene.transformed(frame).to(torch.float32)
    rendering = RENDERING.scaled(float(frame.scale))
    return render(
        moved, c2w[None], intrinsics[None], WIDTH, HEIGHT, near=rendering.near, background=rendering.background
    ).rgb[0]


def agreement(page: Page, scene: Gaussians) -> float:
    """PSNR of what the page shows, its bar taken away, and our picture."""
    page.value("document.getElementById('bar').hidden = true")
    page.settled()
    return float(-10 * ((page.picture() - expected(page, scene).clamp(0, 1)) ** 2).mean().log10())


def moved(page: Page, before: dict) -> float:
    after = page.value("viewer.pose")
    return math.dist(after["position"], before["position"])


@pytest.mark.slow
def test_a_browser_shows_what_we_render_and_its_controls_move_it(written, tmp_path):
    first, middle, last = states()
    with browser(tmp_path) as page:
        page.open(written, WIDTH, HEIGHT)
        page.until("window.viewer && viewer.ready")
        assert page.value("performance.getEntriesByType('resource').filter(e => !/^(blob|data):/.test(e.name))") == []
        assert page.value("!document.getElementById('time').hidden && document.getElementById('trouble').hidden")
        opening = page.value("viewer.pose")
        assert agreement(page, first) > 35

        page.value("viewer.show(0.65)")
        page.until("!viewer.busy")
        between = replace(middle, means=(middle.means + last.means) / 2)
        assert agreement(page, between) > 35 > agreement(page, first) + 5

        page.drag(100, 60, 60, 20)
        page.settled(80)
        assert page.value("viewer.mode") == "orbit"
        assert moved(page, opening) > 0.5
        assert agreement(page, between) > 35
        turned = page.value("viewer.pose")
        page.wheel(100, 60, -300)
        page.settled(30)
        assert 0.2 < moved(page, turned) < 4

        page.key("down", "KeyM")
        page.key("up", "KeyM")
        assert page.value("viewer.mode") == "fly"
        before = page.value("viewer.pose")
        page.key("down", "KeyW")
        page.settled(5)
        page.key("up", "KeyW")
        page.settled(2)
        assert moved(page, before) > 0.05
        before = page.value("viewer.pose")
        page.drag(100, 60, -30, 0)
        page.settled(2)
        assert moved(page, before) == 0
        assert page.value("viewer.pose")["rotation"] != pytest.approx(before["rotation"], abs=0.01)
        page.value("document.getElementById('home').click()")
        page.settled(2)
        assert moved(page, opening) < 1e-3
        assert page.value("viewer.mode") == "orbit"
