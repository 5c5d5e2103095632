"""What `tokengs-evaluate` can be told, and what of it decides the results."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import torch

import tokengs_nerfstudio
from tokengs_nerfstudio.core.checkpoint.registry import USUAL
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.fingerprint import digest
from tokengs_nerfstudio.core.network.config import Side, TokenCount
from tokengs_nerfstudio.core.network.tokengs import Precision, TokenGSNetwork
from tokengs_nerfstudio.core.ranges import Count, NotNegative, Range, Seed, Share, Whole
from tokengs_nerfstudio.core.tuning.config import Space, TuningConfig
from tokengs_nerfstudio.data.broken_scenes import USUAL_SHARE
from tokengs_nerfstudio.evaluation.measuring import Tuning
from tokengs_nerfstudio.evaluation.protocols import PROTOCOLS, Crop, Framing, Protocol, with_context
from tokengs_nerfstudio.evaluation.variants import Variant, variants

PresetName = Literal["dl3dv-2view", "dl3dv-4view", "dl3dv-6view", "re10k-2view", "kubric", "captures"]
Degrees = Annotated[float, Range(0, 180)]


@dataclass(frozen=True)
class Evaluating:
    """Score weights on a benchmark: PSNR, SSIM, LPIPS and what they cost, scene by scene and in the mean."""

    preset: PresetName | None = None
    """the benchmark"""
    data: Path | None = None
    """folder of its data, in the layout that they are published in; for captures one with a folder of each"""
    checkpoint: str = USUAL
    """the weights: a registered name, a .safetensors file, or hf://owner/repo/path"""
    index: Path | None = None
    """evaluation index, a JSON file; if not set the one that comes with the preset. re10k-2view needs one"""
    output: Path | None = None
    """folder of the results; if not set outputs/evaluation/PRESET-CHECKPOINT. The same command goes on there"""
    limit: Count | None = None
    """only so many scenes, the first ones"""
    views: Count | None = None
    """context views of captures and kubric; if not set 4"""
    size: tuple[Side, Side] | None = None
    """height and width that are seen and compared; if not set the preset's, or that of published weights"""
    short_side: Side = 128
    """shorter side of captures' photos that are compared, in pixels, where no size is set"""
    images: str | None = None
    """folder of DL3DV's images: images_4, images_8. If not set the first of a scene's, or that which published weights
    were trained with: images_8 for LocusGS"""
    crop: Crop = "auto"
    """principal point after a crop: exact, or up to half a pixel off as published weights were trained; auto: by the
    weights"""
    scored: Literal["all", "novel"] = "all"
    """whether targets that the network has seen as context count too: in the DL3DV index all context frames are among
    the targets, which TokenGS counts and LagerNVS does not"""
    tokens: TokenCount | None = None
    """number of tokens; if not set that of the weights"""
    tuning: Literal["none"] | Space = "none"
    """what is tuned on the context of every scene before it is looked at"""
    tuning_steps: Count = 50
    """steps of the tuning"""
    tuned: TuningConfig = field(default_factory=TuningConfig)
    """everything else about the tuning"""
    media: Whole = 0
    """write images/ videos/ depths/ gaussians/ of so many scenes, the first ones"""
    pose_noise: tuple[tuple[Degrees, NotNegative], ...] = ()
    """pairs: context cameras turned by so many degrees and moved by this fraction of the baseline"""
    extrapolation: bool = False
    """targets outside of the context's span: the context from the middle half of the sequence"""
    context_extension: tuple[Annotated[int, Range(1, 256)], ...] = ()
    """numbers of context views, such as 2 4 8 16 24"""
    token_count: tuple[TokenCount, ...] = ()
    """numbers of tokens, such as 256 1024 4096"""
    lpips: Literal["vgg", "alex"] = "vgg"
    """network of LPIPS; vgg is that of pixelSplat's and DepthSplat's tables"""
    precision: Precision = "fp32"
    """arithmetic of encoder and decoder"""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    """where to evaluate"""
    threads: Count = 2
    """threads on the CPU; the last bits of the results depend on them"""
    seed: Seed = 0
    """of tunings and pose noise"""
    broken: Share = USUAL_SHARE
    """share of the scenes that may be unreadable; they are named and left out, more of them are an error"""
    only_list: bool = False
    """say which weights have a name, where they come from and under which licence, and evaluate nothing"""

    def __post_init__(self) -> None:
        if self.only_list:
            return
        if self.preset is None:
            raise UserError(f"name a preset: {', '.join(PROTOCOLS)}")
        if self.data is None:
            raise UserError("give the folder of the data with --data")
        if self.views is not None and (self.index or PROTOCOLS[self.preset].index) is not None:
            raise UserError("--views: those of an evaluation index are given; --context-extension tries other numbers")
        if self.images is not None and PROTOCOLS[self.preset].layout != "dl3dv":
            raise UserError(f"--images: only DL3DV has several folders of images, {self.preset} has not")
        if self.extrapolation and self.preset == "kubric":
            raise UserError("--extrapolation is along a sequence of frames: kubric has none")

    @property
    def protocol(self) -> Protocol:
        """The benchmark."""
        assert self.preset is not None
        return with_context(PROTOCOLS[self.preset], self.views)

    @property
    def root(self) -> Path:
        """The folder of the data."""
        assert self.data is not None
        return self.data

    @property
    def folder(self) -> Path:
        """Of the results."""
        return self.output or Path("outputs/evaluation") / f"{self.preset}-{Path(self.checkpoint).stem}"

    @property
    def variants(self) -> list[Variant]:
        """The benchmark as it is first, then all changes of it."""
        return variants(self.pose_noise, self.extrapolation, self.context_extension, self.token_count)

    @property
    def scene_tuning(self) -> Tuning | None:
        """How every scene is tuned."""
        if self.tuning == "none":
            return None
        return Tuning(replace(self.tuned, space=self.tuning, supervision="context"), self.tuning_steps)

    def identity(self, network: TokenGSNetwork, framing: Framing) -> dict[str, Any]:
        """What decides a scene's record, in plain values."""
        tuning, file = self.scene_tuning, self.index or self.protocol.index
        return {
            "preset": self.preset,
            "data": str(self.root.resolve()),
            "index": None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()[:16],
            "weights": digest(network),
            "tokens": network.config.tokens,
            "context_views": self.protocol.num_context,
            "size": None if framing.size is None else list(framing.size),
            "short_side": framing.short_side if framing.size is None else None,
            "crop": "published" if framing.published_rounding else "exact",
            "scored": self.scored,
            "tuning": self.tuning,
            "tuning_steps": 0 if tuning is None else tuning.steps,
            "tuning_settings": None if tuning is None else asdict(tuning.config),
            "lpips_network": self.lpips,
            "dtype": network.precision,
            "device": network.tokens.device.type,
            "seed": self.seed,
            "versions": versions(network.tokens.device),
        }


def versions(device: torch.device) -> dict[str, str]:
    """Of what the results depend on."""
    found = {"tokengs_nerfstudio": tokengs_nerfstudio.__version__, "torch": torch.__version__}
    return {**found, "gsplat": version("gsplat")} if device.type == "cuda" else found
