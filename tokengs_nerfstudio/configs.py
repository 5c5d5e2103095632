"""What `ns-train tokengs` and `ns-train tokengs-pretrain` are: specifications that nerfstudio finds by entry points."""

from nerfstudio.plugins.types import MethodSpecification

from tokengs_nerfstudio.command_line import refuse_splatfactos_flags
from tokengs_nerfstudio.pipeline import TokenGSPipelineConfig
from tokengs_nerfstudio.pretrain.pipeline import PretrainPipelineConfig
from tokengs_nerfstudio.pretrain.trainer import PretrainTrainerConfig
from tokengs_nerfstudio.trainer import TokenGSTrainerConfig

# nerfstudio loads this before it reads the flags; its own answer is a box of guesses.
refuse_splatfactos_flags()

tokengs = MethodSpecification(
    config=TokenGSTrainerConfig(
        method_name="tokengs",
        pipeline=TokenGSPipelineConfig(),
        steps_per_eval_image=200,
        steps_per_eval_all_images=100_000,
        vis="viewer",
    ),
    description="TokenGS: a few posed photos to Gaussians by a network, then tuned on the scene. No GPU needed.",
)

tokengs_pretrain = MethodSpecification(
    config=PretrainTrainerConfig(
        method_name="tokengs-pretrain",
        pipeline=PretrainPipelineConfig(),
        steps_per_eval_image=250,
        steps_per_eval_all_images=250,
        vis="viewer+tensorboard",
    ),
    description="TokenGS: train a network of your own on many scenes, procedural ones without --data.",
)
