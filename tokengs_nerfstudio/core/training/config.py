"""How a network is trained."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from tokengs_nerfstudio.core.losses import LossConfig
from tokengs_nerfstudio.core.ranges import Ascending, Count, NotNegative, Positive, Range, Share, Weight, Whole

Below1 = Annotated[float, Range(0, 1, below=True)]


@dataclass(frozen=True)
class GuardConfig:
    """When a run counts as collapsed: at an evaluation one of these limits is passed, or too many steps in a row were
    not finite. The first time it goes back to its last good state, the second time it ends with an error."""

    enabled: bool = True
    """whether collapse is looked for"""
    scenes: Count = 8
    """held-out scenes on which it is"""
    opacity_floor: Share = 0.005
    """opacity below which a Gaussian counts as dead"""
    dead: Share = 0.995
    """largest share of dead Gaussians"""
    away: Share = 0.5
    """largest share of Gaussians beyond the far plane"""
    coverage: Share = 0.2
    """smallest mean opacity of the pictures, as a share of the largest that the run has had"""
    gradient: Annotated[float, Range(1, above=True)] = 1000.0
    """how many times larger or smaller than at the last good evaluation the median norm of gradients may be"""
    slow: Annotated[float, Range(0, 1, above=True)] = 0.3
    """share of the schedule's learning rate after going back"""
    slow_steps: Whole = 1000
    """for so many steps, counted from where the collapse was seen"""


@dataclass(frozen=True)
class DynamicLossConfig:
    """The loss of pictures of the dynamic tokens' Gaussians alone, for networks that have them (TokenGS, arXiv
    2604.15239): at first they learn to show something by themselves. Where it is known what moves, that is all they are
    to show (ours)."""

    weight: Weight = 0.3
    """its weight beside the loss of the whole pictures; 0 for none"""
    places: Weight = 0.1
    """weight, relative to that, of how far their Gaussians are from the places of what moves, where these are known"""
    hold: Whole = 5_000
    """steps with that weight"""
    decay: Whole = 10_000
    """steps after them in which it falls to 0 in a straight line"""

    def at(self, step: int) -> "DynamicLossConfig":
        """The same with the weight that it has at a step."""
        left = 1.0 - max(step - self.hold, 0) / self.decay if self.decay else float(step < self.hold)
        return replace(self, weight=self.weight * max(left, 0.0))


@dataclass(frozen=True)
class TrainingConfig:
    """How the network is optimised."""

    learning_rate: Annotated[float, Range(0, 1000)] = 1e-3
    """highest learning rate of the schedule"""
    matrix_rate: Annotated[float, Range(0, 1000)] = 0.02
    """highest learning rate of Muon on the matrices inside the blocks; 0 leaves them to AdamW"""
    schedule: Literal["one-cycle", "wsd"] = "one-cycle"
    """one-cycle: up and down over a run of known length. wsd: warm-up, then stable for as long as wanted; decays when
    a saved state of it is cooled down"""
    warmup: Below1 = 0.03
    """share of a one-cycle run until the learning rate is highest"""
    warmup_steps: Whole = 500
    """steps of a wsd run until the learning rate is highest"""
    curriculum_steps: Whole = 10_000
    """steps of a wsd run until its scenes and batch shapes are those that a one-cycle run ends with"""
    start_divisor: Annotated[float, Range(1)] = 25.0
    """the learning rate starts at the highest one divided by this"""
    end_divisor: Annotated[float, Range(1)] = 25_000.0
    """and a one-cycle run ends at the highest one divided by this"""
    betas: tuple[Below1, Below1] = (0.9, 0.95)
    """decay rates of Adam's moments"""
    weight_decay: NotNegative = 0.05
    """decoupled decay of matrices; vectors, the Gaussian head, tokens and latents are spared"""
    clip: Positive = 1.0
    """largest norm of the gradient of all parameters"""
    ema: Below1 = 0.998
    """decay of the averaged weights, which are what is evaluated and shipped; shorter averages at the start"""
    chunk: Count = 8
    """scenes rendered at a time; the gradient is that of the whole batch"""
    micro_batches: Count = 1
    """parts that a step's scenes go through the network in, one after another: memory of one part, gradient and losses
    of the whole batch"""
    patience: Count = 10
    """steps in a row whose loss or gradient is not finite before training stops"""
    depth: Weight = 0.1
    """weight of the error in the logarithm of the rendered depth, where targets bring exact depth"""
    surfaces: Weight = 0.05
    """weight of how unlikely the context photos' exact depths are, for networks that see surfaces in them"""
    supervised_blocks: Annotated[tuple[Count, ...], Ascending()] = ()
    """decoder blocks (from 1, ascending) whose Gaussians are rendered and compared, block k with weight k / sum of all;
    none for the last one alone"""
    dynamic: DynamicLossConfig = field(default_factory=DynamicLossConfig)
    guard: GuardConfig = field(default_factory=GuardConfig)
    loss: LossConfig = field(default_factory=lambda: LossConfig(visibility=0.5))
