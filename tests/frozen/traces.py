"""Seeded losses of every kind of tuning and of training, which a change meant to keep numerics must not move.

python tests/frozen/traces.py tests/frozen/traces.json   # writes them anew: only with a reason
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from tokengs_nerfstudio.core import NetworkConfig, TokenGSNetwork, TuningConfig, Views, canonical_frame, load_network
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.network_training import NetworkTraining
from tokengs_nerfstudio.core.training.parallel import Threads
from tokengs_nerfstudio.core.tuning.scene_tuning import SceneTuning
from tokengs_nerfstudio.data.examples.batches import Batches
from tokengs_nerfstudio.data.examples.curriculum import ProceduralCurriculumConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig
from tokengs_nerfstudio.data.procedural.tracing import procedural_views

STEPS = 40
SMALL = NetworkConfig(
    width=32, heads=2, encoder_depth=2, decoder_depth=1, tokens=32, gaussians_per_token=8, scale_cap=0.3,
    init_token_std=0.5, init_head_std=0.1, init_decoder_scale=0.1, init_quaternion_w=1.0, image_size=(32, 32),
)  # fmt: skip


def small_network(**changes: int) -> TokenGSNetwork:
    torch.manual_seed(0)
    network = TokenGSNetwork(replace(SMALL, **changes))
    if network.target_time_embedding is not None:
        torch.nn.init.normal_(network.target_time_embedding.conv.weight, std=1.0)
    return network


def scene(network: TokenGSNetwork, masked: bool = False, timed: bool = False) -> tuple[Views, Views]:
    """Four context views and all eight views of a procedural scene in the network's frame."""
    views = replace(procedural_views(5, 8, 64, 64), depths=None)
    if masked:
        masks = torch.ones_like(views.images[:, :1])
        masks[:, :, 20:30, 8:40] = 0
        views = replace(views, masks=masks)
    if timed:
        views = replace(views, times=torch.linspace(0, 1, 4).repeat(2))
    c = network.config
    frame = canonical_frame(views.c2w[:4], c.frame, c.scale, c.scale_value)
    moved = frame.views(views)
    return moved.select(slice(0, 4)), moved


def tuned(network: TokenGSNetwork, config: TuningConfig, masked: bool = False, timed: bool = False) -> list[float]:
    context, supervised = scene(network, masked, timed)
    tuning = SceneTuning(network, context, supervised, config, STEPS)
    return [float(tuning.step()["loss"]) for _ in range(STEPS) if not tuning.finished]


def trained() -> list[float]:
    torch.manual_seed(0)
    network = small_network().train()
    training = NetworkTraining(network, TrainingConfig(), Threads(network, 2))
    batches = Batches(ProceduralCurriculumConfig().source(), SMALL, BatchConfig(scenes=2, side=32, late=1.0), seed=3)
    reports = [training.step(batches.batch(number, number / 12), number / 12) for number in range(12)]
    return [value for report in reports for value in (report.losses["loss"], report.gradient_norm)]


def traces() -> dict[str, list[float]]:
    torch.set_num_threads(1)
    tiny, steps = load_network("tiny"), TuningConfig(stopping="steps")
    refined = replace(steps, refine_poses=True, exposure=True, space="tokens+gaussians")
    return {
        "tokens": tuned(tiny, replace(steps, space="tokens")),
        "gaussians": tuned(tiny, replace(steps, space="gaussians")),
        "tokens+gaussians": tuned(tiny, replace(steps, space="tokens+gaussians")),
        "latents": tuned(small_network(latents=16, latent_depth=1), replace(steps, space="latents")),
        "held-out view": tuned(tiny, TuningConfig(held_out_from=4, check_every=5, space="tokens+gaussians")),
        "gsplat-default": tuned(
            tiny, replace(steps, space="gaussians", densification="gsplat-default", growth_every=10)
        ),
        "masks": tuned(tiny, replace(steps, space="gaussians"), masked=True),
        "poses and exposure": tuned(tiny, refined),
        "times": tuned(small_network(time_channels=2, dynamic_tokens=8), replace(steps, space="tokens"), timed=True),
        "training": trained(),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(traces(), indent=1) + "\n")
