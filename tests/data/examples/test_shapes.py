import numpy as np
import pytest

from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.core.ranges import check
from tokengs_nerfstudio.data.examples.shapes import BatchConfig, batch_shape, image_size


@pytest.mark.parametrize(
    ("side", "aspect", "multiple", "expected"),
    [(64, 1.0, 8, (64, 64)), (64, 16 / 9, 8, (48, 88)), (128, 3 / 4, 8, (144, 112)), (3, 1.0, 8, (8, 8))],
)
def test_image_size(side: int, aspect: float, multiple: int, expected: tuple[int, int]) -> None:
    assert image_size(side, aspect, multiple) == expected


def test_shapes_vary_and_keep_the_cost() -> None:
    config, network = BatchConfig(scenes=8), PRESETS["tiny"]
    rng = np.random.default_rng(0)
    early = [batch_shape(config, network, rng, 0.1) for _ in range(300)]
    late = [batch_shape(config, network, rng, 0.9) for _ in range(300)]
    assert {shape.context for shape in early} == {2, 3, 4, 5, 6}
    assert sum(shape.context == 4 for shape in early) > 120
    assert all(3400 <= shape.height * shape.width <= 4700 for shape in early)
    assert max(shape.height * shape.width for shape in late) > 15_000
    assert len({(shape.height, shape.width) for shape in early}) == 5
    for shape in early + late:
        assert shape.height % 8 == shape.width % 8 == shape.scenes % 2 == 0
        tokens = shape.scenes * (256 + shape.context * shape.height * shape.width / 64)
        assert 0.6 < tokens / (8 * 512) < 1.4


def test_settings_that_contradict_are_named() -> None:
    with pytest.raises(ValueError, match="shown is 3, but as few as 2 context views are drawn"):
        check(BatchConfig(context=(2, 6), shown=3))
