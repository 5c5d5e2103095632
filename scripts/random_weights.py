"""Write a weight file with untrained weights: to try a large architecture on a machine before fetching its weights.

scripts/random_weights.py --preset base-6view --output base-6view.safetensors --no-header
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from safetensors.torch import load_file

from tokengs_nerfstudio.core.checkpoint.loading import save_network, weight_file
from tokengs_nerfstudio.core.checkpoint.registry import preset
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork


@dataclass(frozen=True)
class RandomWeights:
    """Write a weight file of a preset with untrained weights."""

    output: Path
    """the .safetensors file to write"""
    preset: str = "base-6view"
    """architecture, one of the presets, by our name or the published one"""
    layout: str = "published"
    """own or published"""
    header: bool = True
    """say in the header what the tensors cannot tell; published files do not"""
    seed: int = 0
    """seed of the weights"""


def main(options: RandomWeights) -> None:
    torch.manual_seed(options.seed)
    network = TokenGSNetwork(preset(options.preset))
    save_network(network, options.output, options.layout)
    if not options.header:
        weight_file.write(options.output, load_file(options.output), text={})
    print(f"{options.output}: {network.num_parameters:,} parameters, {network.num_gaussians:,} Gaussians")


if __name__ == "__main__":
    main(tyro.cli(RandomWeights))
