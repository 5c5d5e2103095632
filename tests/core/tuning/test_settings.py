"""Settings by their paths."""

from made.tuning import tuning_config

from tokengs_nerfstudio.core.tuning.settings import differences, with_settings


def test_what_differs_is_what_makes_one_of_the_other():
    usual, other = tuning_config(), tuning_config(space="tokens", reseed=False, stopping_patience=0.5)
    changes = differences(usual, other)
    assert changes == {"space": "tokens", "gaussians.reseed": False, "stopping.patience": 0.5}
    assert with_settings(usual, changes) == other
    assert usual == tuning_config()
    assert differences(other, other) == {}
