"""What the user typed, where nerfstudio's commands do not hand it on."""

import atexit
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from tokengs_nerfstudio.core.errors import UserError, content_of

_KINDS_OF_PATHS = ("perspective", "fisheye", "equirectangular", "omnidirectional", "vr180")
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
    if command() != "ns-train" or "tokengs" not in sys.argv[1:2]:
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
    return command() == "ns-render" and sys.argv[1:2] != ["camera-path"]


def check_format_of_rgba() -> None:
    """UserError where `ns-render` is asked for pictures with alpha in a format that has none."""
    if command() != "ns-render" or "rgba" not in option("--rendered-output-names"):
        return
    if sys.argv[1:2] != ["dataset"] and option("--output-format") != ["images"]:
        raise UserError("a film has no transparency: add --output-format images --image-format png for rgba")
    if option("--image-format") != ["png"]:
        raise UserError("JPEG has no transparency: add --image-format png for rgba")


def check_camera_path() -> None:
    """UserError where `ns-render camera-path` is given cameras of a kind that nerfstudio takes for perspective ones."""
    if command() != "ns-render" or sys.argv[1:2] != ["camera-path"]:
        return
    path = Path((option("--camera-path-filename") or ["camera_path.json"])[-1])
    with content_of(path, "a camera path", "save it anew from the viewer"):
        kind = json.loads(path.read_text(encoding="utf-8")).get("camera_type", _KINDS_OF_PATHS[0])
    if kind not in _KINDS_OF_PATHS:
        raise UserError(f"'camera_type' of {path} is {kind!r}; choose one of {', '.join(_KINDS_OF_PATHS)}")


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
