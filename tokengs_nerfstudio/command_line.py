"""What the user typed, where nerfstudio's commands do not hand it on."""

import atexit
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

from tokengs_nerfstudio.core.errors import ExistingFileError, UserError
from tokengs_nerfstudio.core.files import can_write
from tokengs_nerfstudio.core.ranges import Count, Finite, Positive, Range, check_value
from tokengs_nerfstudio.data.film_file import read_film

# Numbers of nerfstudio's commands, which say no range and end in tracebacks, or in something else than was asked for.
_NUMBERS: dict[str, dict[str, Any]] = {
    "ns-render": {
        **dict.fromkeys(("--interpolation-steps", "--frame-rate", "--eval-num-rays-per-chunk"), Count),
        **dict.fromkeys(("--seconds", "--downscale-factor"), Positive),
        **dict.fromkeys(("--radius", "--depth-near-plane", "--depth-far-plane"), Finite),
        "--jpeg-quality": Annotated[int, Range(1, 100)],
    },
    "ns-export": {
        **dict.fromkeys(("--num-points", "--num-rays-per-batch", "--batch-size", "--resolution"), Count),
        **dict.fromkeys(("--downscale-factor", "--target-num-faces", "--num-pixels-per-side"), Count),
        **dict.fromkeys(("--std-ratio", "--refinement-epsilon"), Positive),
        **dict.fromkeys(("--obb-center", "--obb-rotation", "--obb-scale"), Finite),
        **dict.fromkeys(("--bounding-box-min", "--bounding-box-max"), Finite),
        "--px-per-uv-triangle": Count,
    },
}
_POSES = "--pipeline.model.tuning.cameras.pose-rate 1e-3 corrects poses"
_EXPOSURES = "--pipeline.model.tuning.cameras.exposure-rate 3e-3 takes exposures out of the scene"
_GROWTH = "--pipeline.model.tuning.gaussians.densification and --pipeline.model.tuning.max-gaussians rule their number"
_START = "the network predicts where the Gaussians start"
_MEMORY = "photos are kept in main memory at the size that is looked at"
_ALL_EVALUATED = "all held-out photos are evaluated"
_DRAWN = "the tuning draws its photos by itself, --pipeline.model.tuning.gaussians.views-per-step of them"
_PRECISION = "--pipeline.model.precision bf16 is the network's arithmetic"
_OF_RAYS = "it is about rays, and Gaussians are drawn by whole pictures"
_NO_TEXT = "no text is made into scenes here"
_FOREIGN = {
    "--pipeline.model.background-color": "weights bring their background; the viewer and the crop of a path set theirs",
    "--pipeline.model.camera-optimizer": _POSES,
    "--pipeline.model.use-bilateral-grid": _EXPOSURES,
    "--pipeline.model.grid-shape": _EXPOSURES,
    "--pipeline.model.color-corrected-metrics": f"ns-eval measures pictures as they are; {_EXPOSURES}",
    "--pipeline.model.sh-degree": "--pipeline.model.tuning.gaussians.harmonics lets colours change with the direction",
    "--pipeline.model.random-init": _START,
    "--pipeline.model.num-random": _START,
    "--pipeline.model.random-scale": _START,
    "--pipeline.model.ssim-lambda": "--pipeline.model.tuning.ssim is its weight",
    "--pipeline.model.use-scale-regularization": "--pipeline.model.tuning.gaussians.scale-pull keeps Gaussians small",
    "--pipeline.model.max-gauss-ratio": "--pipeline.model.tuning.gaussians.scale-pull keeps Gaussians small",
    "--pipeline.model.output-depth-during-training": "depth is an output at all times",
    "--pipeline.model.num-downscales": "--pipeline.model.tuning.gaussians.levels are the sizes it goes through",
    "--pipeline.model.resolution-schedule": "--pipeline.model.tuning.gaussians.levels are the sizes it goes through",
    **{
        f"--pipeline.model.{name}": _GROWTH
        for name in (
            *("warmup-length", "refine-every", "cull-alpha-thresh", "cull-scale-thresh", "reset-alpha-every"),
            *("densify-grad-thresh", "use-absgrad", "densify-size-thresh", "n-split-samples", "cull-screen-size"),
            *("split-screen-size", "stop-screen-size-at", "stop-split-at", "strategy"),
        )
    },
    **{f"--pipeline.datamanager.{name}": _MEMORY for name in ("cache-images", "images-on-gpu", "masks-on-gpu")},
    "--pipeline.datamanager.max-thread-workers": _MEMORY,
    "--pipeline.datamanager.eval-image-indices": _ALL_EVALUATED,
    "--pipeline.datamanager.eval-num": _ALL_EVALUATED,
    "--pipeline.datamanager.train-cameras-sampling": _DRAWN,
    "--pipeline.datamanager.fps-reset-every": _DRAWN,
    "--gradient-accumulation-steps": _DRAWN,
    **{
        f"--pipeline.model.{name}": _OF_RAYS
        for name in ("enable-collider", "collider-params", "eval-num-rays-per-chunk", "loss-coefficients")
    },
    "--pipeline.model.prompt": _NO_TEXT,
    "--prompt": _NO_TEXT,
    "--load-scheduler": "resuming takes the rates along with all else",
    "--log-gradients": "gradients are not logged",
    "--optimizers": "--pipeline.model.tuning.* has the rates",
    "--mixed-precision": _PRECISION,
    "--use-grad-scaler": _PRECISION,
}


def refuse_splatfactos_flags() -> None:
    """End `ns-train tokengs` with one line for a flag of splatfacto that has another name, or no meaning, here."""
    if command() != "ns-train" or subcommand() != "tokengs":
        return
    for word in sys.argv[2:]:
        flag = word.partition("=")[0]
        meant = re.sub(r"^(--|.*\.)no-", r"\1", flag.replace("_", "-"))  # --no-x is --x False
        for prefix, instead in _FOREIGN.items():
            if meant == prefix or meant.startswith((f"{prefix}.", f"{prefix}-")):
                raise SystemExit(f"Error: {flag} is splatfacto's: {instead}")


def command() -> str:
    """The command of this process: ns-train, ns-render, ..."""
    return Path(sys.argv[0]).stem


def subcommand() -> str:
    """The word behind the command: camera-path, dataset, gaussian-splat, ...; nothing where there is none."""
    return sys.argv[1] if len(sys.argv) > 1 else ""


def option(name: str) -> list[str]:
    """What stands behind `--name` on the command line (written with - or _); nothing where it is left out."""
    wanted = name.replace("_", "-")
    for place, word in enumerate(sys.argv[1:], start=1):
        flag, equals, value = word.partition("=")
        if flag.replace("_", "-") != wanted:
            continue
        if equals:
            return [value]
        values = sys.argv[place + 1 :]
        until = next((count for count, later in enumerate(values) if later.startswith("--")), len(values))
        return values[:until]
    return []


def run_that_is_looked_at() -> Path | None:
    """The folder of the finished run that a command was given, wherever it lies now: that of its config.yml."""
    given = option("--load-config")
    if command() == "ns-train" or len(given) != 1:
        return None
    return Path(given[0]).parent


def draws_from_the_photos() -> bool:
    """Whether `ns-render` takes cameras of the capture, not those of a path."""
    return command() == "ns-render" and subcommand() != "camera-path"


def check_format_of_rgba() -> None:
    """UserError where `ns-render` is asked for pictures with alpha in a format that has none."""
    if command() != "ns-render" or "rgba" not in option("--rendered-output-names"):
        return
    if subcommand() != "dataset" and option("--output-format") != ["images"]:
        raise UserError("a film has no transparency: add --output-format images --image-format png for rgba")
    if option("--image-format") != ["png"]:
        raise UserError("JPEG has no transparency: add --image-format png for rgba")


def check_camera_path() -> None:
    """UserError where `ns-render camera-path` is given a file that is none, or whose cameras can show nothing."""
    if command() == "ns-render" and subcommand() == "camera-path":
        read_film(_path("--camera-path-filename", "camera_path.json"))


def check_numbers() -> None:
    """UserError for the first number of `ns-render` or `ns-export` that means nothing there."""
    for name, kind in _NUMBERS.get(command(), {}).items():
        for word in option(name):
            if word != "None":
                check_value(_number(word), kind, name)
    if command() == "ns-render" and subcommand() == "spiral":
        seconds, rate = (option("--seconds") or ["3"])[0], (option("--frame-rate") or ["24"])[0]
        if float(seconds) * float(rate) < 1:
            raise UserError(f"--seconds {seconds} has no picture at {rate} a second: film longer, or faster")


def check_outputs() -> None:
    """UserError where the files of `ns-eval`, `ns-render` or `ns-export` could not be written in the end."""
    if command() == "ns-eval":
        results = _path("--output-path", "output.json")
        if results.suffix != ".json":
            raise UserError(f"--output-path is {results}; the results are JSON: give it a name that ends in .json")
        _check_file(results, "--output-path")
        if option("--render-output-path"):
            _check_folder(_path("--render-output-path", ""), "--render-output-path")
    elif command() == "ns-render" and subcommand() == "dataset":
        _check_folder(_path("--output-path", "renders"), "--output-path")
    elif command() == "ns-render":
        film = _path("--output-path", "renders/output.mp4")
        if option("--output-format") == ["images"]:
            _check_folder(film.parent / film.stem, "--output-path")
        else:
            _check_file(film.with_suffix(film.suffix or ".mp4"), "--output-path")
    elif command() == "ns-export" and option("--output-dir"):
        folder = _path("--output-dir", "")
        _check_folder(folder, "--output-dir")
        _check_file(folder / _path("--output-filename", "splat.ply"), "--output-filename")


def _path(name: str, usual: str) -> Path:
    return Path((option(name) or [usual])[-1])


def _number(word: str) -> float:
    try:
        return int(word)
    except ValueError:
        return float(word)


def _check_file(file: Path, name: str) -> None:
    if file.is_dir():
        raise ExistingFileError(f"{name} is {file}, which is a folder; name a file")
    _check_folder(file.parent, name)


def _check_folder(folder: Path, name: str) -> None:
    if folder.exists() and not folder.is_dir():
        raise ExistingFileError(f"{name}: {folder} is a file where a folder is to be; name another place")
    if not can_write(folder):
        raise UserError(f"{name}: nothing can be written to {folder}; name another place")


def offer_ffmpeg() -> None:
    """An `ffmpeg` on the PATH of this process where the machine has none: that of PyPI's imageio-ffmpeg.

    Nothing happens where that package brings no program for this machine.
    """
    if shutil.which("ffmpeg") is not None:
        return
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        return
    folder = tempfile.mkdtemp(prefix="tokengs-ffmpeg-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (Path(folder) / "ffmpeg").symlink_to(program)
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}{os.pathsep}{folder}"
