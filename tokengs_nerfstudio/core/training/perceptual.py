"""The perceptual distance that a training's loss is made with."""

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.losses import LossConfig, Perceptual
from tokengs_nerfstudio.core.metrics import perceptual_distance


def perceptual_of(loss: LossConfig) -> Perceptual | None:
    """LPIPS where `loss` weighs it, else None; ValueError, one line, where its weights are not on this machine."""
    if loss.lpips == 0:
        return None
    distance = perceptual_distance()
    if distance is None:
        raise UserError(
            f"LossConfig.lpips is {loss.lpips}, but LPIPS is not at hand: its AlexNet weights (alexnet-owt-*.pth) "
            "belong into torch's cache, hub/checkpoints below TORCH_HOME, and torchmetrics must be installed"
        )
    return distance
