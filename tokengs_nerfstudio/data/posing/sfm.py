"""Structure from motion by pycolmap, on the CPU and the same each time: features, matches, cameras and points.

The settings are ours: they keep weak features and place photos on fewer matches than COLMAP's own do, for captures of
a dozen photos fall to pieces otherwise.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.rendering.piecewise import slices
from tokengs_nerfstudio.data.posing.config import EXHAUSTIVE_UP_TO, PosingConfig
from tokengs_nerfstudio.data.posing.pictures import Picture
from tokengs_nerfstudio.data.posing.solution import Comparison, Pair, Solution, SolvedLens

Progress = Callable[[float, str], object]
"""Told how far the posing is, in [0, 1], and what was done."""

LEAST_PHOTOS = 3
# Photos that are put together by one thread: the same however many there are.
_SAME_UP_TO = 100
# Of many photos each is compared with so many after it, and so many from everywhere with each other: ways cross.
_NEIGHBOURS, _FROM_EVERYWHERE = 10, 20
# How much nearer the best match must be than the second best: what repeats (facades) is told apart by the first;
# the second, for captures of which the first leaves something out, places photos that have little in common.
_STRICT, _LOOSE = 0.8, 0.85
# Comparisons that photos which found no place are given.
_SECOND_CHANCES = 5_000
# Photos and pairs between two signs of life.
_PHOTOS_A_CALL, _PAIRS_A_CALL = 8, 100
_POLL_SECONDS = 0.25
_FATAL_ONLY = 3
_MODELS = {"simple": "SIMPLE_RADIAL", "opencv": "OPENCV", "fisheye": "OPENCV_FISHEYE"}


def library() -> Any:
    """pycolmap; UserError that says how to get it."""
    try:
        return importlib.import_module("pycolmap")
    except ImportError as error:
        raise UserError(
            "photos without poses need pycolmap: pip install 'tokengs_nerfstudio[sfm]' (or pip install pycolmap); "
            "photos with poses come in a folder with a transforms.json"
        ) from error


def first_pairs(count: int, matching: str) -> list[Pair]:
    """Which of so many photos, in order of name, are compared to begin with."""
    if matching == "exhaustive" or (matching == "auto" and count <= EXHAUSTIVE_UP_TO):
        return [(i, j) for i in range(count) for j in range(i + 1, count)]
    near = {(i, j) for i in range(count) for j in range(i + 1, min(i + 1 + _NEIGHBOURS, count))}
    far = np.unique(np.linspace(0, count - 1, min(_FROM_EVERYWHERE, count)).round().astype(int)).tolist()
    return sorted(near | {(i, j) for i in far for j in far if i < j})


def solve(folder: Path, pictures: dict[int, Picture], config: PosingConfig, progress: Progress) -> Solution:
    """Poses of the pictures (by index, at least two) that lie in `folder`, which is written to as well.

    Same pictures, settings and version of pycolmap: the same poses; up to 100 pictures with any number of threads.
    """
    with _quiet(library()) as colmap:
        job = _Job(colmap, folder, pictures, config, progress)
        job.find_features()
        strict = job.attempt(_STRICT, 0.2, 0.6)
        if len(strict.c2w) == len(pictures):
            return strict
        loose = job.attempt(_LOOSE, 0.6, 1.0)
        return loose if len(loose.c2w) > len(strict.c2w) else strict


@contextlib.contextmanager
def _quiet(colmap: Any) -> Iterator[Any]:
    before = colmap.logging.minloglevel
    colmap.logging.minloglevel = _FATAL_ONLY
    try:
        yield colmap
    finally:
        colmap.logging.minloglevel = before


class _Job:
    """One folder of pictures on its way through COLMAP's database."""

    def __init__(
        self, colmap: Any, folder: Path, pictures: dict[int, Picture], config: PosingConfig, progress: Progress
    ) -> None:
        self._colmap, self._folder, self._config, self._progress = colmap, folder, config, progress
        self._pictures = [pictures[index] for index in sorted(pictures)]
        self._indices = sorted(pictures)
        self._file = folder / "database.db"
        self._models: list[Any] = []
        self._compared: set[Pair] = set()
        colmap.set_random_seed(config.seed)
        colmap.Database.open(self._file).close()

    @property
    def _threads(self) -> int:
        return self._config.threads or -1

    def find_features(self) -> None:
        """Photos and their features, numbered in their order whichever thread is done first."""
        colmap, names = self._colmap, [picture.name for picture in self._pictures]
        reader = colmap.ImageReaderOptions()
        reader.camera_model = _MODELS[self._config.lens]
        mode = colmap.CameraMode.PER_IMAGE if self._config.cameras == "each" else colmap.CameraMode.PER_FOLDER
        colmap.import_images(self._file, self._folder, camera_mode=mode, image_names=names, options=reader)
        self._tell_focal_lengths()
        options = colmap.FeatureExtractionOptions()
        options.num_threads, options.use_gpu = self._threads, False
        options.sift.peak_threshold = 0.002
        options.sift.max_num_features = self._config.max_features
        for part in slices(len(names), _PHOTOS_A_CALL):
            extract = partial(colmap.extract_features, self._file, self._folder, image_names=names[part])
            self._work(partial(extract, reader_options=reader, extraction_options=options, device=colmap.Device.cpu))
            self._progress(0.2 * part.stop / len(names), f"{part.stop} of {len(names)} photos looked at")

    def _tell_focal_lengths(self) -> None:
        with self._database() as database:
            pictures = {picture.name: picture for picture in self._pictures}
            lenses = {camera.camera_id: camera for camera in database.read_all_cameras()}
            for image in database.read_all_images():
                picture, lens = pictures[image.name], lenses[image.camera_id]
                if picture.photo.focal is None:
                    continue
                lens.params = _with_focal(lens, picture.photo.focal * picture.size[0] / picture.photo.size[0])
                lens.has_prior_focal_length = True
                database.update_camera(lens)

    def attempt(self, ratio: float, start: float, end: float) -> Solution:
        """Matches and places the photos from the beginning, with matches as sure as `ratio` says."""
        with self._database() as database:
            database.clear_matches()
            database.clear_two_view_geometries()
        self._compared.clear()
        share = partial(_between, start, end)
        self._match(first_pairs(len(self._pictures), self._config.matching), ratio, share(0), share(0.6))
        self._put_together(share(0.6), share(0.8))
        rest = self._second_chances()
        if rest:
            self._match(rest, ratio, share(0.8), share(0.9))
            self._put_together(share(0.9), share(1))
        return self._solution()

    def _match(self, pairs: Sequence[Pair], ratio: float, start: float, end: float) -> None:
        """Compares pairs of photos, by position; those that were compared before are left out."""
        colmap = self._colmap
        new = [pair for pair in pairs if pair not in self._compared]
        self._compared.update(new)
        listed = self._folder / "pairs.txt"
        pairing, options = colmap.ImportedPairingOptions(), colmap.FeatureMatchingOptions()
        pairing.match_list_path = listed
        options.num_threads, options.use_gpu, options.guided_matching = self._threads, False, True
        options.sift.max_ratio = ratio
        verification = colmap.TwoViewGeometryOptions()
        verification.ransac.random_seed = self._config.seed
        match = partial(colmap.match_image_pairs, self._file, matching_options=options, pairing_options=pairing)
        for part in slices(len(new), _PAIRS_A_CALL):
            lines = [f"{self._pictures[i].name} {self._pictures[j].name}\n" for i, j in new[part]]
            listed.write_text("".join(lines))
            self._work(partial(match, verification_options=verification, device=colmap.Device.cpu))
            share = start + (end - start) * part.stop / len(new)
            self._progress(share, f"{part.stop} of {len(new)} pairs of photos matched")

    def _put_together(self, start: float, end: float) -> None:
        """Places the photos, and has the pieces, the largest first."""
        colmap, count, placed = self._colmap, len(self._pictures), [1]
        options = colmap.IncrementalPipelineOptions()
        # Sums over several threads come out a little different, and another first pair may be the best.
        options.num_threads = options.mapper.num_threads = 1 if count <= _SAME_UP_TO else self._threads
        options.random_seed = self._config.seed
        options.min_model_size, options.min_num_matches = LEAST_PHOTOS, 10
        options.mapper.random_seed = options.triangulation.random_seed = self._config.seed
        options.mapper.abs_pose_min_num_inliers, options.mapper.abs_pose_min_inlier_ratio = 15, 0.12
        options.mapper.init_min_num_inliers, options.mapper.init_min_tri_angle = 40, 6.0

        def one_more() -> None:
            placed[0] = min(placed[0] + 1, count)

        def tell() -> None:
            self._progress(start + (end - start) * placed[0] / count, f"{placed[0]} of {count} photos placed")

        place = partial(colmap.incremental_mapping, self._file, self._folder, self._folder / "pieces", options=options)
        found = self._work(partial(place, next_image_callback=one_more), tell)
        models = [found[key] for key in sorted(found)]
        self._models = sorted(models, key=lambda model: -model.num_reg_images())

    def _second_chances(self) -> list[Pair]:
        """The comparisons that were not made yet and might place photos which are not in the largest piece."""
        if not self._models or len(self._compared) == len(self._pictures) * (len(self._pictures) - 1) // 2:
            return []
        placed = {image.name for image in self._models[0].images.values() if image.has_pose}
        alone = [k for k, picture in enumerate(self._pictures) if picture.name not in placed]
        pairs = {(min(i, j), max(i, j)) for i in alone for j in range(len(self._pictures)) if i != j}
        return sorted(pairs - self._compared)[:_SECOND_CHANCES]

    def _solution(self) -> Solution:
        """What was found."""
        models, position = self._models, {p.name: k for k, p in zip(self._indices, self._pictures)}
        with self._database() as database:
            images = {image.image_id: position[image.name] for image in database.read_all_images()}
            keypoints = {index: database.num_keypoints_for_image(key) for key, index in images.items()}
            comparisons = self._comparisons(database, images)
        pieces = [model.num_reg_images() for model in models]
        best = models[0] if models else None
        placed = [] if best is None else [image for image in best.images.values() if image.has_pose]
        points = [] if best is None else list(best.points3D.values())
        return Solution(
            c2w={position[image.name]: _c2w(image) for image in placed},
            lenses={position[image.name]: _lens(best.cameras[image.camera_id]) for image in placed if best is not None},
            points=np.array([point.xyz for point in points], np.float64).reshape(-1, 3),
            colors=np.array([point.color for point in points], np.uint8).reshape(-1, 3),
            pieces=pieces,
            keypoints=keypoints,
            comparisons=comparisons,
        )

    def _comparisons(self, database: Any, images: dict[int, int]) -> list[Comparison]:
        flat = {int(getattr(self._colmap.TwoViewGeometryConfiguration, name)) for name in _FLAT}
        found = []
        for key, geometry in zip(*database.read_two_view_geometries()):
            first, second = (images[image] for image in self._colmap.pair_id_to_image_pair(key))
            homography = np.array(geometry.H) if int(geometry.config) in flat and geometry.H is not None else None
            found.append(Comparison((first, second), len(geometry.inlier_matches), homography))
        return found

    @contextlib.contextmanager
    def _database(self) -> Iterator[Any]:
        database = self._colmap.Database.open(self._file)
        try:
            yield database
        finally:
            database.close()

    def _work(self, call: Callable[..., Any], tell: Callable[[], None] = lambda: None) -> Any:
        """The result of a call to COLMAP, which is told of meanwhile and stopped by what stops us.

        Its database is left alone meanwhile: two copies of SQLite in one process undo each other's locks.
        """
        stop = self._colmap.CancellationToken()
        with ThreadPoolExecutor(max_workers=1) as pool:
            future: Future[Any] = pool.submit(call, cancellation_token=stop)
            try:
                while not future.done():
                    wait([future], timeout=_POLL_SECONDS)
                    tell()
            except BaseException:
                stop.cancel()
                raise
        return future.result()


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


_FLAT = ("PLANAR", "PANORAMIC", "PLANAR_OR_PANORAMIC")


def _with_focal(lens: Any, focal: float) -> Float[ndarray, " parameter"]:
    parameters = np.array(lens.params, np.float64)
    parameters[list(lens.focal_length_idxs())] = focal
    return parameters


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
