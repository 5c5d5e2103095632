"""How a network is trained."""

from dataclasses import dataclass, field
from typing import Literal

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.losses import LossConfig


@dataclass(frozen=True)
class GuardConfig:
    """When a run counts as collapsed: at an evaluation one of these limits is passed, or too many steps in a row were
    not finite. The first time it goes back to its last good state, the second time it ends with an error."""

    enabled: bool = True
    """whether collapse is looked for"""
    scenes: int = 8
    """held-out scenes on which it is"""
    opacity_floor: float = 0.005
    """opacity below which a Gaussian counts as dead"""
    dead: float = 0.995
    """largest share of dead Gaussians"""
    away: float = 0.5
    """largest share of Gaussians beyond the far plane"""
    coverage: float = 0.2
    """smallest mean opacity of the pictures, as a share of the largest that the run has had"""
    gradient: float = 1000.0
    """how many times larger or smaller than at the last good evaluation the median norm of gradients may be"""
    slow: float = 0.3
    """share of the schedule's learning rate after going back"""
    slow_steps: int = 1000
    """for so many steps, counted from where the collapse was seen"""

    def __post_init__(self) -> None:
        if self.scenes < 1 or self.gradient <= 1 or not 0 < self.slow <= 1:
            raise UserError(f"scenes >= 1, gradient > 1 and 0 < slow <= 1 needed; got {self}")


@dataclass(frozen=True)
class TrainingConfig:
    """How the network is optimised."""

    learning_rate: float = 1e-3
    """highest learning rate of the schedule"""
    matrix_rate: float = 0.02
    """highest learning rate of Muon on the matrices inside the blocks; 0 leaves them to AdamW"""
    schedule: Literal["one-cycle", "wsd"] = "one-cycle"
    """one-cycle: up and down over a run of known length. wsd: warm-up, then stable for as long as wanted; decays when
    a saved state of it is cooled down"""
    warmup: float = 0.03
    """share of a one-cycle run until the learning rate is highest"""
    warmup_steps: int = 500
    """steps of a wsd run until the learning rate is highest"""
    curriculum_steps: int = 10_000
    """steps of a wsd run until its scenes and batch shapes are those that a one-cycle run ends with"""
    start_divisor: float = 25.0
    """the learning rate starts at the highest one divided by this"""
    end_divisor: float = 25_000.0
    """and a one-cycle run ends at the highest one divided by this"""
    betas: tuple[float, float] = (0.9, 0.95)
    """decay rates of Adam's moments"""
    weight_decay: float = 0.05
    """decoupled decay of matrices; vectors, the Gaussian head, tokens and latents are spared"""
    clip: float = 1.0
    """largest norm of the gradient of all parameters"""
    ema: float = 0.998
    """decay of the averaged weights, which are what is evaluated and shipped; shorter averages at the start"""
    chunk: int = 8
    """scenes rendered at a time; the gradient is that of the whole batch"""
    micro_batches: int = 1
    """parts that a step's scenes go through the network in, one after another: memory of one part, gradient and losses
    of the whole batch"""
    patience: int = 10
    """steps in a row whose loss or gradient is not finite before training stops"""
    depth: float = 0.1
    """weight of the error in the logarithm of the rendered depth, where targets bring exact depth"""
    supervised_blocks: tuple[int, ...] = ()
    """decoder blocks (from 1, ascending) whose Gaussians are rendered and compared, block k with weight k / sum of all;
    none for the last one alone"""
    guard: GuardConfig = field(default_factory=GuardConfig)
    loss: LossConfig = field(default_factory=lambda: LossConfig(visibility=0.5))

    def __post_init__(self) -> None:
        if self.schedule not in ("one-cycle", "wsd"):
            raise UserError(f"TrainingConfig.schedule is '{self.schedule}'; use 'one-cycle' or 'wsd'")
        if min(self.warmup_steps, self.curriculum_steps) < 0:
            raise UserError("TrainingConfig.warmup_steps and curriculum_steps must be at least 0")
        if self.micro_batches < 1:
            raise UserError(f"TrainingConfig.micro_batches is {self.micro_batches}; a step has at least one")
