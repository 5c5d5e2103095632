from dataclasses import replace

from made.training import SMALL

from tokengs_nerfstudio.core.network.initial import SCRATCH
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.config import TrainingConfig
from tokengs_nerfstudio.core.training.optimizers import continue_from, optimizers, parameter_groups, set_rates


def test_decay_spares_vectors_head_and_tokens() -> None:
    latent = replace(SMALL, latents=5, latent_depth=1, time_channels=2, dynamic_tokens=3)
    network = TokenGSNetwork(latent)
    decayed, spared = parameter_groups(network, 0.05)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert decayed["weight_decay"] == 0.05
    assert spared["weight_decay"] == 0.0
    assert len(decayed["params"]) + len(spared["params"]) == len(names)
    without = {names[id(p)] for p in spared["params"]}
    assert {"tokens", "dynamic_tokens", "latents", "head.project.weight", "head.project.bias"} <= without
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all("norm" not in names[id(p)] and "head" not in names[id(p)] for p in decayed["params"])


def test_decay_spares_anchors_and_their_radii() -> None:
    network = TokenGSNetwork(replace(SMALL, anchors=True))
    assert network.anchors is not None
    spared = {id(p) for p in parameter_groups(network, 0.05)[1]["params"]}
    assert {id(network.anchors.positions), id(network.anchors.radii)} <= spared
    assert id(network.anchors.move.expand.weight) not in spared


def test_muon_gets_the_matrices_of_the_blocks() -> None:
    latent = TokenGSNetwork(replace(SMALL, latents=5, latent_depth=1), initial=SCRATCH)
    adam, *muons = optimizers(latent, TrainingConfig(matrix_rate=0.02))
    names = {id(parameter): name for name, parameter in latent.named_parameters()}
    given = [[names[id(p)] for group in o.param_groups for p in group["params"]] for o in (adam, *muons)]
    assert sorted(name for part in given for name in part) == sorted(names.values())
    assert {name.split(".")[0] for part in given[1:] for name in part} == {"encoder", "latent_blocks", "decoder"}
    assert not any(
        name.startswith(("encoder", "decoder"))
        and "norm" not in name
        and "scale" not in name
        and name.endswith("weight")
        for name in given[0]
    )


def test_rates_are_those_of_the_configuration_also_after_an_old_state():
    network = TokenGSNetwork(SMALL, initial=SCRATCH)
    ours = optimizers(network, TrainingConfig(learning_rate=2e-3, matrix_rate=0.05))
    for optimizer, old in zip(ours, optimizers(network, TrainingConfig(learning_rate=1e-3, matrix_rate=0.02))):
        saved = old.state_dict()
        for group in saved["param_groups"]:
            del group["base"]  # states of earlier versions have none, and their AdamW was not fused
            group["fused"] = None
        continue_from(optimizer, saved)
    set_rates(ours, 0.5)
    assert {group["lr"] for group in ours[0].param_groups} == {1e-3}
    assert {group["lr"] for optimizer in ours[1:] for group in optimizer.param_groups} == {0.025}
    assert all(group["fused"] for group in ours[0].param_groups)


def test_a_cooldown_begins_with_the_last_rates_and_keeps_them_when_resumed():
    network = TokenGSNetwork(SMALL, initial=SCRATCH)
    old = optimizers(network, TrainingConfig(learning_rate=1e-3, matrix_rate=0.02))
    set_rates(old, 0.25)
    ours = optimizers(network, TrainingConfig(learning_rate=7.0, matrix_rate=7.0))
    for expected, highest in ((2.5e-4, "last"), (1e-3, "saved")):
        for optimizer, other in zip(ours, old):
            continue_from(optimizer, other.state_dict(), highest)
        set_rates(ours, 1.0)
        assert {group["lr"] for group in ours[0].param_groups} == {expected}
        assert {group["lr"] for optimizer in ours[1:] for group in optimizer.param_groups} == {20 * expected}
