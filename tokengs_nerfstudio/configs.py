"""What `ns-train tokengs` is: the method specification that nerfstudio finds by its entry point."""

import torch
from nerfstudio.configs.base_config import LocalWriterConfig, LoggingConfig, MachineConfig, ViewerConfig
from nerfstudio.plugins.types import MethodSpecification

from tokengs_nerfstudio.pipeline import TokenGSPipelineConfig
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
