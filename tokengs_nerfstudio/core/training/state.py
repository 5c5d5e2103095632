"""Training states on disk."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from tokengs_nerfstudio.core.errors import MissingFileError, UserError
from tokengs_nerfstudio.core.files import replacing

STATE_FORMAT = "tokengs training state 1"


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state so that `path` holds the old or the new one whole, whenever the process is killed."""
    with replacing(path) as scratch:
        torch.save(state, scratch)


def read_state(path: Path) -> dict[str, Any]:
    """A state written by `save_state`; FileNotFoundError where there is none, ValueError where it is something else."""
    if not path.is_file():
        raise MissingFileError(f"no training state {path}")
    try:
        if not zipfile.is_zipfile(path):  # the directory at a zip file's end is the first thing a truncation takes
            raise UserError("not a whole zip file")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} is truncated or no training state ({error}); move it away to start anew") from error
    if not isinstance(state, dict) or state.get("format") != STATE_FORMAT:
        found = state.get("format", "no format") if isinstance(state, dict) else type(state).__name__
        raise UserError(f"{path} is no '{STATE_FORMAT}' ({found}); move it away to start anew")
    return state
