import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tokengs_nerfstudio.core.network.config import NetworkConfig
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.types import Gaussians, Views

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@dataclass(frozen=True)
class GoldenNetwork:
    """A small network of the published code: its weights, inputs and float64 outputs."""

    config: NetworkConfig
    weights: dict[str, Tensor]
    tensors: dict[str, Tensor]
    probe_loss: float
    gradient_norms: dict[str, float]

    @property
    def targets(self) -> list[str]:
        """Suffixes of the target times that were recorded; one empty suffix for a static network."""
        return [key.removeprefix("out64.keys") for key in sorted(self.tensors) if key.startswith("out64.keys")]

    def views(self, target: str) -> Views:
        """The context in double precision, two scenes in the batch."""
        fx, fy, cx, cy = self.tensors["in.intrinsics"].double().unbind(-1)
        intrinsics = torch.zeros(*fx.shape, 3, 3, dtype=torch.float64)
        intrinsics[..., 0, 0], intrinsics[..., 1, 1] = fx, fy
        intrinsics[..., 0, 2], intrinsics[..., 1, 2], intrinsics[..., 2, 2] = cx, cy, 1
        times = self.tensors.get(f"in.time_norm{target}")
        return Views(
            images=self.tensors["in.images"].double(),
            c2w=self.tensors["in.c2w"].double(),
            intrinsics=intrinsics,
            times=None if times is None else times[:, :-1].double(),
        )

    def write(self, path: Path) -> Path:
        """The weights as a published file."""
        save_file(self.weights, path)
        return path


def _config(options: dict) -> NetworkConfig:
    height, width = options["img_size"]
    return NetworkConfig(
        width=options["enc_embed_dim"],
        heads=options["enc_num_heads"],
        patch_size=options["patch_size"],
        encoder_depth=options["enc_depth"],
        decoder_depth=options["dec_depth"],
        tokens=options["num_gs_tokens"],
        gaussians_per_token=options.get("num_gaussians_per_token") or options["dec_patch_size"] ** 2,
        dynamic_tokens=options.get("num_dynamic_gs_tokens", 0),
        time_channels=options.get("time_embedding_dim", 0),
        multiscale_layers=tuple(options.get("multiscale_encoder_layers", ())),
        latents=options.get("num_latents", 0),
        latent_depth=options.get("latent_cross_attn_depth", 0),
        anchors=options.get("anchors", False),
        head=options.get("head", "open"),
        z_offset=options["gaussian_z_offset"],
        opacity_bias=options.get("opacity_bias", 2.0),
        image_size=(height, width),
        num_context=options["num_input_views"],
    )


@pytest.fixture(scope="session")
def golden_networks() -> dict[str, GoldenNetwork]:
    recorded = json.loads((GOLDEN / "network_gradients.json").read_text())
    networks = {}
    for name, info in recorded.items():
        tensors = {}
        for part in sorted(GOLDEN.glob(f"{name}.*.safetensors")):
            tensors.update(load_file(part))
        weights = {key.removeprefix("w."): tensor for key, tensor in tensors.items() if key.startswith("w.")}
        networks[name] = GoldenNetwork(
            config=_config(info["options"]),
            weights=weights,
            tensors={key: tensor for key, tensor in tensors.items() if not key.startswith("w.")},
            probe_loss=info["grad_probe_loss"],
            gradient_norms=info["grad_l2"],
        )
    return networks


def published_layout(gaussians: Gaussians) -> Tensor:
    """[batch gaussian 14]: position, opacity, scale, quaternion, colour."""
    opacity = gaussians.opacities[..., None]
    return torch.cat([gaussians.means, opacity, gaussians.scales, gaussians.quats, gaussians.colors], dim=-1)


@pytest.fixture(scope="session")
def as_published():
    return published_layout


@pytest.fixture
def small_config() -> NetworkConfig:
    return NetworkConfig(width=32, heads=4, encoder_depth=2, decoder_depth=2, tokens=6, gaussians_per_token=3)


@pytest.fixture
def make_views():
    """Random context views [batch view] around the origin."""

    def make(batch: int = 2, view: int = 3, height: int = 16, width: int = 24, times: bool = False) -> Views:
        c2w = torch.eye(4).repeat(batch, view, 1, 1)
        c2w[..., :3, 3] = torch.randn(batch, view, 3) * 0.3
        intrinsics = torch.tensor([[width, 0.0, width / 2], [0.0, width, height / 2], [0.0, 0.0, 1.0]])
        return Views(
            images=torch.rand(batch, view, 3, height, width),
            c2w=c2w,
            intrinsics=intrinsics.expand(batch, view, 3, 3),
            times=torch.linspace(0, 1, view).expand(batch, view) if times else None,
        )

    return make


@pytest.fixture
def randomised():
    """Every parameter random and large enough to matter, so that no path through the network sleeps."""

    def randomise(network: TokenGSNetwork) -> TokenGSNetwork:
        with torch.no_grad():
            for parameter in network.parameters():
                fan = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 4
                parameter.copy_(torch.randn_like(parameter) / fan**0.5)
        return network

    return randomise


@pytest.fixture
def network(small_config, randomised) -> TokenGSNetwork:
    """A static network with settings of its own, every parameter awake."""
    config = replace(small_config, z_offset=0.25, scale_cap=0.3, frame="mean", scale="bound", image_size=(16, 24))
    return randomised(TokenGSNetwork(config))
