from tokengs_nerfstudio.data.posing.sfm import first_pairs


def test_few_photos_are_compared_each_with_each():
    assert first_pairs(4, "auto") == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert len(first_pairs(40, "auto")) == 780
    assert len(first_pairs(60, "exhaustive")) == 1770


def test_many_are_compared_with_those_after_them_and_some_from_everywhere():
    pairs = set(first_pairs(200, "auto"))
    assert len(pairs) < 200 * 10 + 190
    assert {(k, k + 1) for k in range(199)} <= pairs
    assert {(k, k + 10) for k in range(190)} <= pairs
    assert (0, 199) in pairs
    assert (0, 11) not in pairs
    assert first_pairs(4, "sequential") == first_pairs(4, "exhaustive")
