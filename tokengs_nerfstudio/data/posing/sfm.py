"""Structure from motion by pycolmap, on the CPU and the same each time: features, matches, cameras and points.

The settings are ours: they keep weak features and place photos on fewer matches than COLMAP's own do, for captures of
a dozen photos fall to pieces otherwise.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.rendering.piecewise import slices
from tokengs_nerfstudio.data.posing.config import EXHAUSTIVE_UP_TO, PosingConfig
from tokengs_nerfstudio.data.posing.doubts import doubt
from tokengs_nerfstudio.data.posing.models import read_solution
from tokengs_nerfstudio.data.posing.pictures import Picture, enlarged
from tokengs_nerfstudio.data.posing.solution import Pair, Solution, shrunk

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
# Pictures up to so many pixels show more of what they hold when they are enlarged: so many times, so many features.
_SMALL, _ENLARGED, _FEATURES_OF_ENLARGED = 640, 2, 1500
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

    Tried are sure matches, then looser ones, then looser ones between pictures twice as large where they are small,
    until all have poses that nothing contradicts. Same pictures, settings and version of pycolmap: the same poses; up
    to 100 pictures with any number of threads.
    """
    with _quiet(library()) as colmap:
        job = _Job(colmap, folder, pictures, config, progress)
        job.find_features(0, 0.15)
        found = [job.attempt(_STRICT, 0.15, 0.45)]
        if not _whole(found[-1], pictures):
            found.append(job.attempt(_LOOSE, 0.45, 0.7))
        if not _whole(found[-1], pictures) and _are_small(pictures):
            larger = replace(config, max_features=min(config.max_features, _FEATURES_OF_ENLARGED))
            job = _Job(colmap, folder / "enlarged", enlarged(pictures, folder, _ENLARGED), larger, progress)
            job.find_features(0.7, 0.75)
            found.append(shrunk(job.attempt(_LOOSE, 0.75, 1.0), _ENLARGED))
        return best_of(found)


def best_of(found: Sequence[Solution]) -> Solution:
    """The solution with most poses, the first of several; one that its matches contradict only where no other has half
    as many."""
    most = max(len(solution.c2w) for solution in found)
    return max(found, key=lambda one: (2 * len(one.c2w) >= most and doubt(one) is None, len(one.c2w)))


def _whole(solution: Solution, pictures: dict[int, Picture]) -> bool:
    return len(solution.c2w) == len(pictures) and doubt(solution) is None


def _are_small(pictures: dict[int, Picture]) -> bool:
    return max(max(picture.size) for picture in pictures.values()) <= _SMALL


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

    def find_features(self, start: float, end: float) -> None:
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
            self._progress(
                _between(start, end, part.stop / len(names)), f"{part.stop} of {len(names)} photos looked at"
            )

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
        position = {picture.name: index for index, picture in zip(self._indices, self._pictures)}
        with self._database() as database:
            return read_solution(self._colmap, database, self._models, position)

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


def _with_focal(lens: Any, focal: float) -> Float[ndarray, " parameter"]:
    parameters = np.array(lens.params, np.float64)
    parameters[list(lens.focal_length_idxs())] = focal
    return parameters
