"""Options of `ns-train` by the names that users type, checked before anything is read or written."""

from pathlib import Path
from typing import Annotated, Any

import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.ranges import Count, Positive, Range, Seed, check, check_value
from tokengs_nerfstudio.data.finished_run import MODELS

Port = Annotated[int, Range(0, 2**16 - 1)]
MaybePort = Port | None
# Numbers of nerfstudio's own configurations, which say no range.
NERFSTUDIOS = {
    "machine.seed": Seed,
    "logging.steps_per_log": Count,
    "logging.max_buffer_size": Count,
    "viewer.websocket_port": MaybePort,
    "viewer.websocket_port_default": Port,
    "viewer.num_rays_per_chunk": Count,
    "viewer.max_num_display_images": Annotated[int, Range(-1)],
    "viewer.jpeg_quality": Annotated[int, Range(1, 100)],
    "viewer.camera_frustum_scale": Positive,
}


def flag(path: str) -> str:
    """The option that sets a field of the trainer's configuration; those of the dataparser are typed without a path."""
    return "--" + path.removeprefix("pipeline.datamanager.dataparser.").replace("_", "-")


def check_options(config: Any) -> None:
    """UserError for the first option of a trainer's configuration that is out of its range or impossible here."""
    check(config, flag)
    for path, annotation in NERFSTUDIOS.items():
        owner, name = path.split(".")
        check_value(getattr(getattr(config, owner), name), annotation, flag(path))
    _check_places(config)
    machine = config.machine
    for name in ("num_devices", "num_machines"):
        if getattr(machine, name) != 1:
            raise UserError(f"{flag('machine.' + name)} is {getattr(machine, name)}; one process runs on one device: 1")
    if machine.device_type == "mps":
        raise UserError("--machine.device-type is mps; splats are drawn on cuda and cpu alone")
    if machine.device_type == "cuda" and not torch.cuda.is_available():
        raise UserError("--machine.device-type is cuda, but torch finds no CUDA device here; use cpu")


def _check_places(config: Any) -> None:
    """Whether the run's folder is one below --output-dir, with its checkpoints where every command looks for them."""
    if Path(config.relative_model_dir) != Path(MODELS):
        raise UserError(
            f"--relative-model-dir is {config.relative_model_dir}; whatever looks at a run finds its checkpoints in "
            f"{MODELS}: leave the option out"
        )
    config.set_experiment_name()  # where none is given it is that of the capture's folder, which may be ".."
    for option in ("experiment_name", "method_name", "timestamp"):
        name = str(getattr(config, option))
        if ".." in Path(name).parts:
            raise UserError(
                f"{flag(option)} is {name}, which leads out of --output-dir: give a name without '..', and say where "
                "to write by --output-dir"
            )
