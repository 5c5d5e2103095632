"""Seeded losses of every kind of tuning and of training, which a change meant to keep numerics must not move.

python tests/frozen/traces.py tests/frozen/traces.json   # writes them anew: only with a reason
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from made.tuning import changed, ready, tuning_config

from tokengs_nerfstudio.core import NetworkConfig, TokenGSNetwork, TuningConfig, load_network
from tokengs_nerfstudio.core.network.initial import InitialValues
from tokengs_nerfstudio.core.preparation import PreparedScene
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
    image_size=(32, 32), near=0.01, far=1e10,
)  # fmt: skip
START = InitialValues(token_std=0.5, head_std=0.1, decoder_scale=0.1, quaternion_w=1.0)


def small_network(**changes: float) -> TokenGSNetwork:
    torch.manual_seed(0)
    network = TokenGSNetwork(replace(SMALL, **changes), initial=START)
    if network.target_time_embedding is not None:
        torch.nn.init.normal_(network.target_time_embedding.conv.weight, std=1.0)
    return network


def scene(network: TokenGSNetwork, masked: bool = False, timed: bool = False) -> PreparedScene:
    """Four context views and all eight views of a procedural scene in the network's frame."""
    views = replace(procedural_views(5, 8, 64, 64), depths=None)
    if masked:
        masks = torch.ones_like(views.images[:, :1])
        masks[:, :, 20:30, 8:40] = 0
        views = replace(views, masks=masks)
    if timed:
        views = replace(views, times=torch.linspace(0, 1, 4).repeat(2))
    moved = network.config.rule.of(views.c2w[:4]).views(views)
    return ready(moved.select(slice(0, 4)), moved)


def tuned(network: TokenGSNetwork, config: TuningConfig, masked: bool = False, timed: bool = False) -> list[float]:
    tuning = SceneTuning(network, scene(network, masked, timed), config, STEPS)
    return [float(tuning.step()["loss"]) for _ in range(STEPS) if not tuning.finished]


def trained() -> list[float]:
    torch.manual_seed(0)
    network = small_network(near=0.025, far=125.0).train()
    training = NetworkTraining(network, TrainingConfig(), Threads(network, 2))
    batches = Batches(ProceduralCurriculumConfig().source(), SMALL, BatchConfig(scenes=2, side=32, late=1.0), seed=3)
    reports = [training.step(batches.batch(number, number / 12), number / 12) for number in range(12)]
    return [value for report in reports for value in (report.losses["loss"], report.gradient_norm)]


# What was tuned with by default when the traces and the runs of this folder were made.
THEN = {
    "views_per_step": 2,
    "gaussians_views_per_step": 2,
    "steps_per_view": 30,
    "start_share": 1.0,
    "few_views": 6,
    "stereo": 0,
    "opacity_pull": 0.01,
    "averaging": 0.0,
    "means_rate": 0.012,
    "scales_rate": 0.02,
    "opacities_rate": 0.05,
    "colors_rate": 0.03,
    "rates_decay": 0.3,
}


def traces() -> dict[str, list[float]]:
    torch.set_num_threads(1)
    tiny, steps = load_network("tiny"), tuning_config(**THEN, rule="steps")
    refined = changed(steps, pose_rate=1e-3, exposure_rate=3e-3, space="tokens+gaussians")
    return {
        "tokens": tuned(tiny, changed(steps, space="tokens")),
        "gaussians": tuned(tiny, changed(steps, space="gaussians")),
        "tokens+gaussians": tuned(tiny, changed(steps, space="tokens+gaussians")),
        "latents": tuned(small_network(latents=16, latent_depth=1), changed(steps, space="latents")),
        "held-out view": tuned(
            tiny, changed(steps, rule="held-out", held_out_from=4, check_every=5, space="tokens+gaussians")
        ),
        "gsplat-default": tuned(
            tiny, changed(steps, space="gaussians", densification="gsplat-default", growth_every=10)
        ),
        "masks": tuned(tiny, changed(steps, space="gaussians"), masked=True),
        "poses and exposure": tuned(tiny, refined),
        "times": tuned(small_network(time_channels=2, dynamic_tokens=8), changed(steps, space="tokens"), timed=True),
        "training": trained(),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(traces(), indent=1) + "\n")
