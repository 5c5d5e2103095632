"""How a network is trained."""

from dataclasses import dataclass, field

from tokengs_nerfstudio.core.losses import LossConfig


@dataclass(frozen=True)
class TrainingConfig:
    """How the network is optimised."""

    learning_rate: float = 1e-3
    """highest learning rate of the one-cycle schedule"""
    matrix_rate: float = 0.02
    """highest learning rate of Muon on the matrices inside the blocks; 0 leaves them to AdamW"""
    warmup: float = 0.03
    """share of the run until the learning rate is highest"""
    start_divisor: float = 25.0
    """the learning rate starts at the highest one divided by this"""
    end_divisor: float = 25_000.0
    """and ends at the highest one divided by this"""
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
    patience: int = 10
    """steps in a row whose loss or gradient is not finite before training stops"""
    depth: float = 0.1
    """weight of the error in the logarithm of the rendered depth, where targets bring exact depth"""
    supervised_blocks: tuple[int, ...] = ()
    """decoder blocks (from 1, ascending) whose Gaussians are rendered and compared, block k with weight k / sum of all;
    none for the last one alone"""
    loss: LossConfig = field(default_factory=lambda: LossConfig(visibility=0.5))
