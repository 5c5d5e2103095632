"""Where weights come from: shipped files, published files by name, the Hugging Face hub, or a path."""

import difflib
import hashlib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork

SHIPPED = Path(__file__).resolve().parents[2] / "weights"
USUAL, USUAL_FOR_MOVING = "small", "tiny-dynamic"
"""What is taken where nobody names weights: for scenes that stand still, and for those that move."""
_HUB = "hf://"

_AUTHORS = "jiaweir/tokengs"
_REVISION = "a7eb20340b99abd29b554c29c339446aebccff36"
_LICENCE = (
    "the authors' code is Apache-2.0 (its repository); their page on the hub states no licence of the weights; ffgs, a "
    "third party's package, records the NVIDIA Internal Scientific Research and Development Model License for them"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedWeights:
    """A weight file of the TokenGS authors: what it was trained for, where it is fetched, who says what of its use."""

    preset: str
    about: str
    repo: str
    """owner/name on the Hugging Face hub."""
    file: str
    sha256: str | None = None
    """None where nobody has recorded it"""
    revision: str | None = _REVISION
    """commit of the repository; None for the newest"""
    licence: str = _LICENCE

    @property
    def config(self) -> NetworkConfig:
        """Architecture, camera frame and scale, image size and number of views."""
        return PRESETS[self.preset]

    @property
    def address(self) -> str:
        """Where a browser finds the file."""
        from huggingface_hub import hf_hub_url

        return hf_hub_url(self.repo, self.file, revision=self.revision, endpoint=_endpoint())

    @property
    def size(self) -> str:
        """About how large the file is: nobody has recorded it, but its tensors are known and are in float32."""
        return f"about {4e-9 * parameters_of(self.preset):.2f} GB"


@cache
def parameters_of(name: str) -> int:
    """How many numbers the weights of a preset are."""
    with torch.device("meta"):
        return TokenGSNetwork(PRESETS[name]).num_parameters


def _dl3dv(preset: str, file: str, sha256: str, more: str = "") -> PublishedWeights:
    config = PRESETS[preset]
    kind = "latent bottleneck" if config.latents else "encoder-decoder"
    about = f"DL3DV, {config.num_context} views of {config.image_size[1]}x{config.image_size[0]}, {kind}{more}"
    return PublishedWeights(preset, about, _AUTHORS, f"{file}.safetensors", sha256)


def _latent(views: int, loss: str, sha256: str) -> PublishedWeights:
    file = f"checkpoints_26.06/dl3dv_latent_{views}v_{loss}"
    return _dl3dv(f"latent-{views}view", file, sha256, f", trained with {loss.upper()}")


PUBLISHED: dict[str, PublishedWeights] = {
    "base": _dl3dv(
        "base", "checkpoints/dl3dv_base", "ac6cb611e3b19ea4aaaeae32c952cf7555f68ef3e70b03199f24c0860245bba8"
    ),
    "base-2view": _dl3dv(
        "base-2view", "checkpoints/dl3dv_2v", "e40fbd5c2a21810dd6936d67aa87962d0ff850dfa0096f9bf146bbd8ad9ad254"
    ),
    "base-4view": _dl3dv(
        "base-4view", "checkpoints/dl3dv_4v", "0d6012d133e2488be82da4c747aae9e7cf7f2320d4d72f6bc224387f65e11980"
    ),
    "base-6view": _dl3dv(
        "base-6view", "checkpoints/dl3dv_6v", "27036790f2288766b48af3cdae789ce01d3ea2eb199569af3aa64018ca8e885c"
    ),
    "latent-2view-ssim": _latent(2, "ssim", "57779787fdfe3edb758b9da01bd4911295044d2213e588bf9cf985b5ae9c3743"),
    "latent-2view-lpips": _latent(2, "lpips", "b11f2e87b433d39e7a94540016ba8885afd86a2be757847e0d7a46a135f559b0"),
    "latent-4view-ssim": _latent(4, "ssim", "a6d29102cc08826af3594b1587286a64aca512b1d6d5552151f4b82eb54afa1e"),
    "latent-4view-lpips": _latent(4, "lpips", "cee670826d27dcb8ad3a31ca6265aa88cccb3aebf0924f72b6af270a688e6abf"),
    "latent-6view-ssim": _latent(6, "ssim", "5913da347475049cb58e552634ee1c527293c2571576806db0d4da702ce978c3"),
    "latent-6view-lpips": _latent(6, "lpips", "1c48ed3a00acedd8d9d3e3341d18bcd413a68b7d2b5507a7c4442a9136952fb8"),
    "kubric-dynamic": PublishedWeights(
        "kubric-dynamic",
        "Kubric 4D, 4 views of 256x256 at 4 times, static and dynamic tokens",
        _AUTHORS,
        "checkpoints_26.06/kubric_dyn.safetensors",
    ),
}

PUBLISHED_OPTION_PRESETS: dict[str, str] = {
    "train_dl3dv_base": "base",
    **{f"{use}_dl3dv_{views}view": f"base-{views}view" for use in ("finetune", "eval") for views in (2, 4, 6)},
    **{
        f"{use}_dl3dv_latent_{views}view_{loss}": f"latent-{views}view"
        for use in ("finetune", "eval")
        for views in (2, 4, 6)
        for loss in ("ssim", "lpips")
    },
    **{f"finetune_dl3dv_kubric_dyn{version}": "kubric-dynamic" for version in ("", "_v2", "_release", "_v3")},
    "finetune_dl3dv_kubric_static": "kubric-static",
}
"""The published code's names of its option sets, to the names of our presets."""


@dataclass(frozen=True)
class Location:
    """A weight file on this machine, and the preset it was published with where its name says so."""

    path: Path
    preset: str | None = None


def preset(name: str) -> NetworkConfig:
    """The configuration of that name, ours or the published code's. ValueError for an unknown one."""
    ours = PUBLISHED_OPTION_PRESETS.get(name, name)
    if ours not in PRESETS:
        raise UserError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[ours]


def shipped_weights() -> dict[str, Path]:
    """The files that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}


def default_weights(moving: bool) -> str:
    """The weights that a scene is reconstructed with where nobody names any; those for scenes that move only where
    they come with the package."""
    return USUAL_FOR_MOVING if moving and USUAL_FOR_MOVING in shipped_weights() else USUAL


def cache_folder() -> Path:
    """Where published files that were fetched by hand are looked for."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tokengs_nerfstudio"


def locate(source: str, published: Mapping[str, PublishedWeights] = PUBLISHED) -> Location:
    """The file that a path, a registered name or hf://owner/repo[@revision]/path stands for, fetched if need be.

    Raises CheckpointError with one line that says what was looked for and what to do.
    """
    if not source:
        raise CheckpointError(f"the name of the weights is empty; {_known([*shipped_weights(), *published])}")
    if source.startswith(_HUB):
        return Location(_fetch_address(source))
    shipped = shipped_weights()
    if source in shipped:
        return Location(shipped[source])
    if source in published:
        return Location(_published_file(source, published[source]), published[source].preset)
    try:
        path = Path(source).expanduser()
        there = path.exists()
    except (RuntimeError, OSError, ValueError) as error:  # no such user, a name too long, a zero byte in it
        raise CheckpointError(f"the weights {source[:200]!r} cannot be looked for: {error!s:.200}") from error
    if not there:
        names = [*shipped, *published]
        close = difflib.get_close_matches(source, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else _known(names)
        raise CheckpointError(f"there is no weight file and no registered weights {source!r}; {hint}")
    return Location(path)


def _known(names: Sequence[str]) -> str:
    return f"registered names: {', '.join(names)}"


def is_here(source: str) -> bool:
    """Whether `locate` would find a file of that name without fetching it; files of the hub count as not here."""
    if source.startswith(_HUB):
        return False
    if source in shipped_weights() or Path(source).expanduser().is_file():
        return True
    return source in PUBLISHED and fetched(source, PUBLISHED[source]) is not None


def fetched(name: str, weights: PublishedWeights) -> Path | None:
    """The file of a registered name if it is on this machine: put there by hand, or fetched before."""
    from huggingface_hub import try_to_load_from_cache

    placed = _place(name)
    if placed.is_file():
        return placed
    cached = try_to_load_from_cache(weights.repo, weights.file, revision=weights.revision)
    return Path(cached) if isinstance(cached, str) else None


def _place(name: str) -> Path:
    """Where a file that was fetched by hand is looked for."""
    return cache_folder() / f"{name}.safetensors"


def _published_file(name: str, weights: PublishedWeights) -> Path:
    path = fetched(name, weights)
    if path is None:
        size, address = weights.size, weights.address
        _log.warning(f"fetching the weights {name!r} ({size}) from {address}; on their use: {weights.licence}")
        if weights.sha256 is None:
            _log.warning(f"nobody has recorded a sha256 of {name!r}: what arrives is taken as it is")
        otherwise = f"fetch {address} ({size}) by another way and place the file as {_place(name)}"
        path = _fetch(weights.repo, weights.file, weights.revision, otherwise)
    state = path.stat()
    if weights.sha256 is not None and _sha256(path, state.st_size, state.st_mtime_ns) != weights.sha256:
        # The hub's client links names to files: with the link alone away, it would link the wrong file again.
        raise CheckpointError(
            f"{path.resolve()} is not the published file {name!r}: its sha256 differs; remove it and fetch it again"
        )
    return path


def _fetch_address(address: str) -> Path:
    parts = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)", address)
    if parts is None:
        raise CheckpointError(f"{address!r} is no hub address; write hf://owner/repo/path/to/file.safetensors")
    repo, revision, file = parts.groups()
    if not file.endswith(".safetensors"):
        raise CheckpointError(f"{address!r}: only .safetensors files are read, never pickles")
    if ".." in file.split("/"):
        raise CheckpointError(
            f"{address!r} leads out of the repository; write hf://owner/repo/path/to/file.safetensors"
        )
    return _fetch(repo, file, revision, "pass the path of a local copy")


def _fetch(repo: str, file: str, revision: str | None, otherwise: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import EntryNotFoundError, HFValidationError

    try:
        return Path(hf_hub_download(repo, file, revision=revision, endpoint=_endpoint()))
    except (OSError, ValueError, EntryNotFoundError, HFValidationError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"cannot fetch {file} from hf://{repo}: {reason[0]}; {otherwise}") from error


def _endpoint() -> str | None:
    """Read here because the hub's client reads its environment only once, when first imported."""
    return os.environ.get("HF_ENDPOINT")


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    """Of a file of that size, last changed then: a file of a gigabyte is read once a process."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
