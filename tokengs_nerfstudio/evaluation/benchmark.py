"""The scenes of a protocol below a folder, opened one by one."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.dl3dv import dl3dv_scenes
from tokengs_nerfstudio.data.evaluation_index import EvaluationIndex
from tokengs_nerfstudio.data.kubric import kubric_scenes
from tokengs_nerfstudio.data.re10k import re10k_scenes
from tokengs_nerfstudio.data.roots import capture_scenes
from tokengs_nerfstudio.data.scene import Scene
from tokengs_nerfstudio.data.stored_scene import StoredScene
from tokengs_nerfstudio.evaluation.cases import Case, filmed_at_once, held_out, indexed, scored
from tokengs_nerfstudio.evaluation.protocols import Protocol


@dataclass(frozen=True)
class Benchmark:
    """Scenes by name, none of them opened yet."""

    scenes: Mapping[str, Callable[[], Scene]]
    """in the order of the evaluation index where there is one"""
    missing: tuple[str, ...]
    """scenes of the evaluation index that are not there"""
    of_scene: Callable[[Scene], Case]

    def case(self, name: str, context_too: bool) -> Case:
        """One scene with its views; UserError for one that cannot be read or lacks them."""
        return scored(self.of_scene(self.scenes[name]()), context_too)


def benchmark(
    protocol: Protocol, root: Path, index: Path | None, image_folder: str | None, background: float
) -> Benchmark:
    """The benchmark whose data are in `root`. UserError where there is nothing, or nothing of the evaluation index.

    `image_folder` is that of DL3DV's images, `background` the grey behind cut-out photos of captures.
    """
    if not root.is_dir():
        raise MissingFileError(f"there is no folder {root} of {protocol.about}")
    scenes = _scenes(protocol, root, image_folder, background)
    file = index or protocol.index
    if file is None:
        return Benchmark(scenes, (), _views(protocol))
    chosen = EvaluationIndex(file)
    there = {name: scenes[name] for name in chosen.scenes if name in scenes}
    if not there:
        raise UserError(f"{root} has none of the {len(chosen.scenes)} scenes of {file}, only {_some(list(scenes))}")
    missing = tuple(name for name in chosen.scenes if name not in scenes)
    return Benchmark(there, missing, lambda scene: indexed(scene, chosen))


def _views(protocol: Protocol) -> Callable[[Scene], Case]:
    """How views are chosen without an index."""

    def of_capture(scene: Scene) -> Case:
        assert isinstance(scene, NerfstudioCapture)  # as `_scenes` opens them
        return held_out(scene, protocol.num_context)

    if protocol.layout == "captures":
        return of_capture
    if protocol.layout == "kubric":
        return lambda scene: filmed_at_once(scene, protocol.num_context)
    raise UserError(f"{protocol.about}: its views are those of an evaluation index, name its file with --index")


def _scenes(
    protocol: Protocol, root: Path, image_folder: str | None, background: float
) -> dict[str, Callable[[], Scene]]:
    """By name; by the folder that they are in too where names come again."""
    if protocol.layout == "captures":
        return _captures(root, background)
    found: list[StoredScene] = {
        "dl3dv": lambda: [*dl3dv_scenes(root, image_folder)],
        "re10k": lambda: [*re10k_scenes(root, "test")],
        "kubric": lambda: [*kubric_scenes(root)],
    }[protocol.layout]()
    often = Counter(scene.name for scene in found)
    return {
        scene.name if often[scene.name] == 1 else f"{scene.source.parent.name}/{scene.name}": partial(_itself, scene)
        for scene in found
    }


def _itself(scene: Scene) -> Scene:
    return scene


def _captures(root: Path, background: float) -> dict[str, Callable[[], Scene]]:
    """The captures in the folders below `root`, in order of their names, or the one that it is."""
    folders = [root] if (root / "transforms.json").is_file() else [scene.source for scene in capture_scenes(root)]
    return {folder.resolve().name: partial(NerfstudioCapture, folder, background) for folder in folders}


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
