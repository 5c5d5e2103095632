"""Real photos that come with the package: `ns-train tokengs --data` takes the folder that `sample_capture()` names."""

from importlib.resources import files
from pathlib import Path

from tokengs_nerfstudio.core.errors import MissingFileError


def sample_capture() -> Path:
    """The folder of a capture in nerfstudio's form: 15 photos of bananas on a carpet, every 4th of them held out.

    Whose photos they are and under which licence is in its NOTICE.txt. Raises FileNotFoundError where the package was
    installed without its data.
    """
    folder = Path(str(files(__name__) / "banana"))
    if not (folder / "transforms.json").is_file():
        raise MissingFileError(f"no sample capture at {folder}; install tokengs_nerfstudio again")
    return folder
