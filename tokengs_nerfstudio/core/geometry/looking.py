"""What a camera looks at."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_CONE = 0.3  # its slope: 17 degrees


def distance_seen(
    position: Float[ndarray, "3"], axis: Float[ndarray, "3"], points: Float[ndarray, "point 3"]
) -> float:
    """How far away, along the unit vector `axis`, that is which is seen from `position` in its direction.

    The median of the points within 17 degrees of the axis; 1 where there are none.
    """
    offsets = points - position
    along = offsets @ axis
    ahead = (along > 0) & (np.linalg.norm(offsets - along[:, None] * axis, axis=1) < _CONE * along)
    return float(np.median(along[ahead])) if ahead.any() else 1.0
