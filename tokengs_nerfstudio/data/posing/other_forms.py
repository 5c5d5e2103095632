"""Poses that lie beside photos in another form than transforms.json: nobody who has them wants new ones unasked."""

from pathlib import Path

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.data.posing.result import read_record

# Where COLMAP, nerfstudio and those after them put a model, best first.
_MODELS = ("colmap/sparse/0", "sparse/0", "colmap/sparse", "sparse")


def refuse_other_poses(path: Path) -> None:
    """UserError, which says how they are read, for a folder that has poses of Blender's form or a model of COLMAP's
    and has not been posed here before."""
    found = None if not path.is_dir() or read_record(path) is not None else _of_blender(path) or _of_colmap(path)
    if found is not None:
        raise UserError(
            f"{path} has no transforms.json but poses of another form, {found}; `tokengs-pose {path}` finds new ones"
        )


def _of_blender(folder: Path) -> str | None:
    names = sorted(file.name for file in folder.glob("transforms_*.json") if file.is_file())
    if "transforms_train.json" not in names:
        return None
    return f"{', '.join(names)}: `ns-train tokengs --data {folder} blender-data` reads them, `--data` with a file one"


def _of_colmap(folder: Path) -> str | None:
    for place in _MODELS:
        if any((folder / place / f"cameras.{suffix}").is_file() for suffix in ("bin", "txt")):
            return f"{place}: `ns-train tokengs --data {folder} colmap --colmap-path {place}` reads them"
    return None
