"""Where weights come from: shipped files, published files by name, the Hugging Face hub, or a path."""

import difflib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS, NetworkConfig

SHIPPED = Path(__file__).resolve().parents[2] / "weights"
_HUB = "hf://"


@dataclass(frozen=True)
class PublishedWeights:
    """A weight file of the TokenGS authors: what it was trained for, and where it can be fetched if that is known."""

    preset: str
    about: str
    repo: str | None = None
    """owner/name on the Hugging Face hub."""
    file: str | None = None
    sha256: str | None = None
    licence: str = "published by the TokenGS authors under terms of their own: read them where you fetch the file"

    @property
    def config(self) -> NetworkConfig:
        """Architecture, camera frame and scale, image size and number of views."""
        return PRESETS[self.preset]


PUBLISHED: dict[str, PublishedWeights] = {
    **{
        f"base-{views}view": PublishedWeights(f"base-{views}view", f"DL3DV, {views} views, encoder-decoder")
        for views in (2, 4, 6)
    },
    **{
        f"latent-{views}view-{loss}": PublishedWeights(
            f"latent-{views}view", f"DL3DV, {views} views, latent bottleneck, trained with {loss.upper()}"
        )
        for views in (2, 4, 6)
        for loss in ("ssim", "lpips")
    },
    "kubric-dynamic": PublishedWeights("kubric-dynamic", "Kubric 4D, 4 views at 4 times, static and dynamic tokens"),
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


def cache_folder() -> Path:
    """Where published files that were fetched by hand are looked for."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tokengs_nerfstudio"


def locate(source: str, published: Mapping[str, PublishedWeights] = PUBLISHED) -> Location:
    """The file that a path, a registered name or hf://owner/repo[@revision]/path stands for, fetched if need be.

    Raises CheckpointError with one line that says what was looked for and what to do.
    """
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
        hint = f"did you mean {close[0]!r}?" if close else f"registered names: {', '.join(names)}"
        raise CheckpointError(f"there is no weight file and no registered weights {source!r}; {hint}")
    return Location(path)


def is_here(source: str) -> bool:
    """Whether `locate` would find a file of that name without fetching it; files of the hub count as not here."""
    if source.startswith(_HUB):
        return False
    placed = cache_folder() / f"{source}.safetensors"
    return source in shipped_weights() or placed.is_file() or Path(source).expanduser().is_file()


def _published_file(name: str, weights: PublishedWeights) -> Path:
    placed = cache_folder() / f"{name}.safetensors"
    if placed.is_file():
        path = placed
    elif weights.repo is not None and weights.file is not None:
        path = _fetch(weights.repo, weights.file, None, f"place the file as {placed}")
    else:
        raise CheckpointError(
            f"the published weights {name!r} ({weights.about}) are not on this machine and no address of them is "
            f"known: place the file as {placed}, or name it as a path or hf://owner/repo/path ({weights.licence})"
        )
    if weights.sha256 is not None and _sha256(path) != weights.sha256:
        raise CheckpointError(f"{path} is not the published file {name!r}: its sha256 differs; remove and fetch again")
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
        # The endpoint is read here because the client reads its environment only once, when first imported.
        endpoint = os.environ.get("HF_ENDPOINT")
        return Path(hf_hub_download(repo, file, revision=revision, endpoint=endpoint))
    except (OSError, ValueError, EntryNotFoundError, HFValidationError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"cannot fetch {file} from hf://{repo}: {reason[0]}; {otherwise}") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
