"""Weight files in the published layout, and what makes two networks the same."""

import torch
from safetensors.torch import save_file

from tokengs_nerfstudio.core.checkpoint.key_table import to_published
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork


def same_tensors(first, second):
    return list(first) == list(second) and all(
        torch.equal(first[key], second[key]) and first[key].dtype == second[key].dtype for key in first
    )


def published_file(config, path):
    with torch.device("meta"):
        shapes = TokenGSNetwork(config).state_dict()
    names = to_published(shapes, multiscale=bool(config.multiscale_layers))
    # Shapes of the published size, values of none: zeros that share one element are written as they are on disk.
    save_file({names[key]: torch.zeros(meta.shape, dtype=torch.bfloat16) for key, meta in shapes.items()}, path)
    return path
