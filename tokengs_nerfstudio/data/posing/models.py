"""What COLMAP's database and models say, in records of ours."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from tokengs_nerfstudio.data.posing.doubts import fitting, in_view
from tokengs_nerfstudio.data.posing.solution import Comparison, Overlap, Solution, SolvedLens

_FLAT = ("PLANAR", "PANORAMIC", "PLANAR_OR_PANORAMIC")


def read_solution(colmap: Any, database: Any, models: Sequence[Any], position: dict[str, int]) -> Solution:
    """What was found: the first of the models; `position` is the index of each picture by its name."""
    images = {image.image_id: position[image.name] for image in database.read_all_images()}
    best = models[0] if models else None
    placed = {} if best is None else {key: image for key, image in best.images.items() if image.has_pose}
    points = [] if best is None else list(best.points3D.values())
    lenses = {} if best is None else {key: best.cameras[image.camera_id] for key, image in placed.items()}
    c2w = {images[key]: _c2w(image) for key, image in placed.items()}
    places = {
        images[key]: np.array(lens.cam_from_img(database.read_keypoints(key)[:, :2].astype(np.float64)))
        for key, lens in lenses.items()
    }
    focal = float(np.median([lens.mean_focal_length() for lens in lenses.values()])) if lenses else 0.0
    return Solution(
        c2w=c2w,
        lenses={images[key]: _lens(lens) for key, lens in lenses.items()},
        points=np.array([point.xyz for point in points], np.float64).reshape(-1, 3),
        colors=np.array([point.color for point in points], np.uint8).reshape(-1, 3),
        pieces=[model.num_reg_images() for model in models],
        keypoints={index: database.num_keypoints_for_image(key) for key, index in images.items()},
        comparisons=_comparisons(colmap, database, images, c2w, places, focal),
        overlaps=[] if best is None else _overlaps(best, {key: images[key] for key in placed}, c2w, places),
    )


def _comparisons(
    colmap: Any,
    database: Any,
    images: dict[int, int],
    c2w: dict[int, Float[ndarray, "4 4"]],
    places: dict[int, Float[ndarray, "feature 2"]],
    focal: float,
) -> list[Comparison]:
    flat = {int(getattr(colmap.TwoViewGeometryConfiguration, name)) for name in _FLAT}
    found = []
    for key, geometry in zip(*database.read_two_view_geometries()):
        first, second = (images[image] for image in colmap.pair_id_to_image_pair(key))
        homography = np.array(geometry.H) if int(geometry.config) in flat and geometry.H is not None else None
        matches = np.array(geometry.inlier_matches, np.int64).reshape(-1, 2)
        fit = None
        if first in c2w and second in c2w:
            there = places[first][matches[:, 0]], places[second][matches[:, 1]]
            fit = fitting(*there, c2w[first], c2w[second], focal)
        found.append(Comparison((first, second), len(matches), homography, fit))
    return found


def _overlaps(
    model: Any,
    placed: dict[int, int],
    c2w: dict[int, Float[ndarray, "4 4"]],
    places: dict[int, Float[ndarray, "feature 2"]],
) -> list[Overlap]:
    seen = {index: _seen(model.images[key]) for key, index in placed.items()}
    points = {i: np.array([model.points3D[key].xyz for key in keys]).reshape(-1, 3) for i, keys in seen.items()}
    spans = {index: (places[index].min(0), places[index].max(0)) for index in seen}
    found = []
    for first, second in itertools.permutations(seen, 2):
        expected = seen[first][in_view(points[first], c2w[first], c2w[second], *spans[second])]
        found.append(Overlap((first, second), len(expected), int(np.isin(expected, seen[second]).sum())))
    return found


def _seen(image: Any) -> Int64[ndarray, " point"]:
    """Which points a photo shows."""
    return np.array([place.point3D_id for place in image.points2D if place.has_point3D()], np.int64)


def _c2w(image: Any) -> Float[ndarray, "4 4"]:
    w2c = np.eye(4)
    w2c[:3] = image.cam_from_world().matrix()
    return np.linalg.inv(w2c)


def _lens(camera: Any) -> SolvedLens:
    names = {
        "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
        "OPENCV": ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2"),
        "OPENCV_FISHEYE": ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "k3", "k4"),
    }[camera.model_name]
    numbers = dict(zip(names, map(float, camera.params)))
    if "f" in numbers:
        numbers = {"fl_x": numbers["f"], "fl_y": numbers.pop("f"), **numbers}
    return SolvedLens(camera.model_name == "OPENCV_FISHEYE", (camera.width, camera.height), numbers)
