"""What a GPU would have to wait for in a step of a tuning: which photos it looks at, and nothing else."""

import pytest
from made.host import waited_for
from made.scenes import arc_cameras, blobs, photos, small_network
from made.tuning import changed, ready, tuning_config

from tokengs_nerfstudio.core import SceneTuning


@pytest.mark.parametrize("space", ["tokens", "latents", "gaussians"])
def test_a_step_asks_nothing_of_the_device(space: str) -> None:
    network = small_network(**({"latents": 16, "latent_depth": 1} if space == "latents" else {}))
    config = changed(tuning_config(rule="steps", growth_every=100), space=space)
    tuning = SceneTuning(network, ready(photos(blobs(), arc_cameras(12), size=48)), config, steps=40)
    for _ in range(3):
        tuning.step()
    with waited_for() as found:
        for _ in range(5):
            tuning.step()
    # Adam counts its steps on the CPU, whatever it moves.
    of_adam = [] if space == "gaussians" else ["_local_scalar_dense"]
    assert found == 5 * ["tensor", *of_adam]
