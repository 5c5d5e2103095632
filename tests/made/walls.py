"""Patterned walls, seen by cameras whose depths are therefore known."""

import torch

from tokengs_nerfstudio.core.types import Views

SIZE = 32


def wall(positions: list[tuple[float, float]], depth: float = 2.0) -> Views:
    """A batch of one: a wall with a pattern at z = `depth`, seen straight on from places (x, y)."""
    count = len(positions)
    c2w = torch.eye(4).repeat(count, 1, 1)
    c2w[:, :2, 3] = torch.tensor(positions)
    intrinsics = torch.tensor([[SIZE, 0.0, SIZE / 2], [0.0, SIZE, SIZE / 2], [0.0, 0.0, 1.0]]).repeat(count, 1, 1)
    pixels = torch.arange(SIZE) + 0.5
    x = (pixels[None, None] - SIZE / 2) / SIZE * depth + c2w[:, 0, 3, None, None]
    y = (pixels[None, :, None] - SIZE / 2) / SIZE * depth + c2w[:, 1, 3, None, None]
    x, y = torch.broadcast_tensors(x, y)
    waves = [torch.sin(3.1 * x + 1.7 * y), torch.sin(2.3 * x * y + 4.0 * y + 1.0), torch.sin(5.0 * x - 2.0 * y + 2.0)]
    return Views(0.5 + 0.5 * torch.stack(waves, 1), c2w, intrinsics).unsqueeze()
