import numpy as np
import pytest
from made.mesh_reference import depth_of, leaves

from tokengs_nerfstudio.data.procedural.meshes.bvh_kernels import build
from tokengs_nerfstudio.data.procedural.meshes.layout import DEEPEST, STACK
from tokengs_nerfstudio.data.procedural.meshes.library import library_of, tree_of

MOST = 4


def hierarchy(low, high, first_item=0, first_node=0):
    count = len(low)
    order = np.empty(count, np.int64)
    boxes, refs = np.full((first_node + count, 12), np.nan), np.full((first_node + count, 2), 10**6, np.int32)
    root, nodes = build(low, high, MOST, order, boxes, refs, first_item, first_node)
    return root, nodes, order, boxes, refs


def boxes_around(centres, half=0.01):
    return centres - half, centres + half


def uneven(count: int) -> np.ndarray:
    """Each fourteen times as far out as the one before: what tempts to take off one at a time."""
    return 1e140 * 14.0 ** -np.arange(count)[:, None] * np.array([1.0, 0.5, 0.25])


RANDOM = np.random.default_rng(3)
CASES = {
    "random": boxes_around(RANDOM.standard_normal((500, 3)), RANDOM.uniform(0, 0.2, (500, 3))),
    "one": boxes_around(np.zeros((1, 3))),
    "a leaf": boxes_around(RANDOM.standard_normal((MOST, 3))),
    "one more": boxes_around(RANDOM.standard_normal((MOST + 1, 3))),
    "one place": boxes_around(np.ones((77, 3))),
    "one centre, all sizes": boxes_around(np.zeros((60, 3)), RANDOM.uniform(0, 1, (60, 1))),
    "points on a line": boxes_around(np.linspace(0, 1, 90)[:, None] * np.array([1.0, 0, 0]), 0.0),
    "two places": boxes_around(np.repeat([[0.0, 0, 0], [1.0, 1, 1]], 40, 0)),
    "ever smaller": boxes_around(uneven(120), 0.0),
}


@pytest.mark.parametrize("case", CASES)
def test_every_item_is_in_one_leaf_and_within_all_boxes_above(case):
    low, high = CASES[case]
    root, nodes, order, boxes, refs = hierarchy(low, high, first_item=30, first_node=7)
    parts = leaves(refs, root)
    assert sorted(k for part in parts for k in part) == list(range(30, 30 + len(low)))
    assert sorted(order) == list(range(len(low)))
    assert all(1 <= len(part) <= MOST for part in parts)
    assert nodes == len(parts) - 1
    assert np.isnan(boxes[:7]).all()
    for node in range(7, 7 + nodes):
        for side in (0, 1):
            inside = [order[k - 30] for part in leaves(refs, int(refs[node, side])) for k in part]
            assert (boxes[node, 6 * side : 6 * side + 3] == low[inside].min(0)).all()
            assert (boxes[node, 6 * side + 3 : 6 * side + 6] == high[inside].max(0)).all()


@pytest.mark.parametrize("case", CASES)
def test_none_is_deeper_than_rays_can_walk(case):
    root, _, _, _, refs = hierarchy(*CASES[case])
    assert depth_of(refs, root) <= DEEPEST
    assert 2 * DEEPEST <= STACK


def test_the_cheapest_split_of_two_clusters_is_between_them():
    near, far = RANDOM.uniform(-1, 1, (30, 3)), RANDOM.uniform(8, 10, (5, 3))
    root, _, order, _, refs = hierarchy(*boxes_around(np.concatenate([near, far])))
    sides = [{order[k] for part in leaves(refs, int(ref)) for k in part} for ref in refs[root]]
    assert set(range(30)) in sides


def test_a_tree_over_instances_has_one_in_each_leaf():
    low, high = CASES["random"]
    _, refs, order, root = tree_of(low, high)
    assert sorted(order) == list(range(len(low)))
    assert all(len(part) == 1 for part in leaves(refs, root))


def test_meshes_own_all_triangles_between_them(library):
    owned = [k for root in library.roots for part in leaves(library.meshes.refs, int(root)) for k in part]
    assert sorted(owned) == list(range(len(library.meshes.texture)))


def test_the_real_pack_is_not_deep(shared):
    path = shared / "meshes" / "meshes_small.npz"
    if not path.is_file():
        pytest.skip("no mesh packs in ../shared")
    from tokengs_nerfstudio.data.procedural.meshes.library import MeshSources

    library = library_of(MeshSources(path, texture_size=4))
    assert max(depth_of(library.meshes.refs, int(root)) for root in library.roots) < DEEPEST - 8
