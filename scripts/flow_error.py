"""Endpoint error of the flow of weights that know time, on procedural scenes that no training sees.

scripts/flow_error.py --sources.pack PACK --weights NAME: what is found beside no flow at all and the best constant
flow, in pixels and in units of the scenes, over the pixels that show what moves.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from tokengs_nerfstudio.core import load_network
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.data.procedural.meshes.config import MeshSceneConfig
from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources
from tokengs_nerfstudio.evaluation.flow_error import endpoint_errors, held_out_scene, mean_errors, network_flow


@dataclass(frozen=True)
class Options:
    """Which weights, and on what."""

    sources: MeshSources
    """meshes and pictures of the scenes"""
    weights: str = "tiny-dynamic"
    """a registered name or a file"""
    scenes: int = 32
    """how many, the first that are held out"""
    side: int = 64
    """of the pictures, in pixels"""
    context: int = 4
    """photos that the network sees"""
    targets: int = 2
    """views whose flow is compared, per scene"""
    output: Path | None = None
    """JSON file of the means and of every scene"""


def measure(options: Options) -> list[dict[str, dict[str, float]]]:
    """The errors of every scene, as `endpoint_errors` gives them. UserError for weights that know no time."""
    network = load_network(options.weights)
    if not network.config.time_channels:
        raise UserError(f"the weights {options.weights!r} know no time: they see no flow")
    config = MeshSceneConfig(options.sources)
    found = []
    for number in range(options.scenes):
        scene = held_out_scene(number, options.side, options.context, options.targets, config)
        found.append(endpoint_errors(network_flow(network, scene), scene.exact))
    return found


def main(options: Options) -> None:
    of_scenes = measure(options)
    means = mean_errors(list(of_scenes))
    for unit, errors in means.items():
        print(f"{unit:8}" + "".join(f"{name} {error:10.4f}   " for name, error in errors.items()))
    if options.output is not None:
        write_text(options.output, json.dumps({"means": means, "scenes": of_scenes}, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
