"""One capture by the very parts that `ns-train tokengs` consists of: equal to the byte, for it is the same code."""

import json
import random
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from tokengs_nerfstudio.configs import tokengs
from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.compiled import working_seconds
from tokengs_nerfstudio.core.files import replacing, write_text
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.tuning.pacing import Allowance
from tokengs_nerfstudio.data.finished_run import into_capture
from tokengs_nerfstudio.data.splat_files import write_ply
from tokengs_nerfstudio.evaluation.measuring import mean
from tokengs_nerfstudio.evaluation.report.captures import METRICS, PICTURES, SPLATS
from tokengs_nerfstudio.many.folder import Job
from tokengs_nerfstudio.many.options import Plan
from tokengs_nerfstudio.pipeline import TokenGSPipeline, TokenGSPipelineConfig
from tokengs_nerfstudio.trainer import TokenGSTrainer, TokenGSTrainerConfig

_PICTURE_SIDE = 640


def network_of(plan: Plan) -> TokenGSNetwork:
    """The weights, as ns-train loads them; CheckpointError where there are none."""
    network = load_network(plan.checkpoint, num_tokens=plan.tokens, precision=plan.precision, device=plan.device)
    return network.float().requires_grad_(False)


def trainer_config(job: Job, plan: Plan) -> TokenGSTrainerConfig:
    """The options of `ns-train tokengs` that mean the plan."""
    config = deepcopy(tokengs.config)
    assert isinstance(config, TokenGSTrainerConfig)
    config.output_dir, config.experiment_name, config.timestamp = job.folder.parents[1], job.capture.name, "run"
    config.vis, config.max_num_iterations = "tensorboard", plan.steps
    config.machine.device_type, config.machine.seed = plan.device, plan.seed
    pipeline = config.pipeline
    assert isinstance(pipeline, TokenGSPipelineConfig)
    data, model = pipeline.datamanager, pipeline.model
    data.data, data.num_context, data.max_image_size = job.capture.path, plan.context, plan.max_image_size
    model.checkpoint, model.num_tokens, model.precision = plan.checkpoint, plan.tokens, plan.precision
    model.rasterize_mode = "antialiased" if plan.antialiased else "classic"
    model.tuning = deepcopy(plan.tuning)
    return config


def reconstruct_capture(job: Job, plan: Plan, network: TokenGSNetwork, seconds_before: float = 0.0) -> None:
    """Everything that a capture's folder of results holds, but its log; `seconds_before` stand among its times.

    Raises whatever ns-train would raise.
    """
    clock, seconds = time.perf_counter, {"loading weights": seconds_before}
    started, used, began = clock(), time.process_time(), working_seconds()
    random.seed(plan.seed)
    np.random.seed(plan.seed)  # noqa: NPY002  as ns-train does
    torch.manual_seed(plan.seed)
    trainer = TokenGSTrainer(trainer_config(job, plan))
    trainer.base_dir, trainer.checkpoint_dir = job.folder, job.folder / "nerfstudio_models"
    pipeline = trainer.pipeline = trainer.config.pipeline.setup(device=trainer.device, test_mode="val")
    outputs = pipeline.datamanager.train_dataparser_outputs
    to_capture = into_capture(
        outputs.dataparser_transform, outputs.dataparser_scale, job.capture.path, "correct its applied_transform"
    )
    seconds_each = plan.tuning.seconds if plan.seconds is None else plan.seconds
    allowance = Allowance(seconds_each, working_seconds, began, trainer.afterwards)
    pipeline.begin(planned=lambda planner: planner.tuning(plan.steps, allowance), network=network)
    begun = clock()
    steps = 0
    while not pipeline.model.finished:
        pipeline.get_train_loss_dict(steps)
        steps += 1
    pipeline.model.bake()
    tuned = clock()
    scores = _evaluated(pipeline, job.folder / PICTURES, plan.pictures)
    seconds |= {"reading and encoding": begun - started, "tuning": tuned - begun, "evaluation": clock() - tuned}
    for line in pipeline.summary():
        print(line)
    trainer.save_checkpoint(max(steps - 1, 0))
    write_text(job.folder / "config.yml", yaml.dump(trainer.config))
    outputs.save_dataparser_transform(job.folder / "dataparser_transforms.json")
    write_ply(job.folder / SPLATS, pipeline.model.baked().at().detach().to("cpu").transformed(to_capture))
    seconds |= {"whole": seconds_before + clock() - started, "processor": time.process_time() - used}
    about = {"gaussians": pipeline.model.num_points, "steps": steps, "report": pipeline.summary()[0]}
    where = {"device": plan.device, "threads": torch.get_num_threads()}
    content = {"name": job.capture.name, "identity": job.identity, **scores, **about, "seconds": seconds, **where}
    write_text(job.folder / METRICS, json.dumps(content, indent=1) + "\n")


@torch.no_grad()
def _evaluated(pipeline: TokenGSPipeline, folder: Path, pictures: int) -> dict[str, Any]:
    """What ns-eval measures, photo by photo, and evenly chosen photos beside what is rendered."""
    pipeline.eval()
    data, photos = pipeline.datamanager, pipeline.datamanager.fixed_indices_eval_dataloader
    chosen = set(torch.linspace(0, len(photos) - 1, min(pictures, len(photos))).round().long().tolist())
    views: dict[str, list[float]] = {}
    with pipeline.model.as_it_is():
        for number in range(len(photos)):
            camera, batch = photos[number]
            outputs = pipeline.model.get_outputs_for_camera(camera)
            scores, images = pipeline.model.get_image_metrics_and_images(outputs, batch)
            for name, value in scores.items():
                views.setdefault(name, []).append(float(value))
            if number in chosen:
                _save(folder / f"{number:03d}.jpg", images["img"])
    return {
        "means": {name: mean(values) for name, values in views.items()},
        "views": views,
        "photos": [path.name for path in data.eval_dataset.image_filenames],
        "held_out_images": data.num_held_out,
    }


def _save(path: Path, image: Float[Tensor, "height width 3"]) -> None:
    picture = Image.fromarray((255 * image.clamp(0, 1)).round().byte().cpu().numpy())
    picture.thumbnail((2 * _PICTURE_SIDE, _PICTURE_SIDE))
    with replacing(path) as scratch:
        picture.save(scratch, quality=90)
