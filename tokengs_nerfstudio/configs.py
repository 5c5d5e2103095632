"""What `ns-train tokengs` and `ns-train tokengs-pretrain` are: specifications that nerfstudio finds by entry points."""

import torch
from nerfstudio.configs.base_config import LocalWriterConfig, LoggingConfig, MachineConfig, ViewerConfig
from nerfstudio.plugins.types import MethodSpecification

from tokengs_nerfstudio.pipeline import TokenGSPipelineConfig
from tokengs_nerfstudio.pretrain.pipeline import PretrainPipelineConfig
from tokengs_nerfstudio.pretrain.trainer import PretrainTrainerConfig
from tokengs_nerfstudio.trainer import TokenGSTrainerConfig

tokengs = MethodSpecification(
    config=TokenGSTrainerConfig(
        method_name="tokengs",
        pipeline=TokenGSPipelineConfig(),
        optimizers={},
        steps_per_eval_batch=0,
        steps_per_eval_image=200,
        steps_per_eval_all_images=100_000,
        machine=MachineConfig(device_type="cuda" if torch.cuda.is_available() else "cpu"),
        # Its table of rays per second says nothing about photos; the trainer shows a progress bar instead.
        logging=LoggingConfig(local_writer=LocalWriterConfig(enable=False), profiler="none"),
        viewer=ViewerConfig(num_rays_per_chunk=1 << 15),
        vis="viewer",
    ),
    description="TokenGS: a few posed photos to Gaussians by a network, then tuned on the scene. No GPU needed.",
)

tokengs_pretrain = MethodSpecification(
    config=PretrainTrainerConfig(
        method_name="tokengs-pretrain",
        pipeline=PretrainPipelineConfig(),
        optimizers={},
        steps_per_eval_batch=0,
        steps_per_eval_image=250,
        steps_per_eval_all_images=250,
        machine=MachineConfig(device_type="cuda" if torch.cuda.is_available() else "cpu"),
        logging=LoggingConfig(local_writer=LocalWriterConfig(enable=False), profiler="none"),
        viewer=ViewerConfig(num_rays_per_chunk=1 << 15),
        vis="viewer+tensorboard",
    ),
    description="TokenGS: train a network of your own on many scenes, procedural ones without --data.",
)
