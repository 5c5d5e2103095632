import logging
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import jaxtyping
import pytest
import torch

# A GPU machine may lack beartype, which is for tests alone: everything else is tested there all the same.
CHECKED = find_spec("beartype") is not None
jaxtyping.install_import_hook("tokengs_nerfstudio", "typecheck.check" if CHECKED else None)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden tensors and captures that lies beside the repository on the project's own machines."""
    if not (SHARED / "golden").is_dir():
        pytest.skip("no ../shared beside this checkout: golden tensors and real captures are not at hand")
    return SHARED


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="module")
def own_log() -> None:
    """No module sees messages on the console because a run of another one, in the same process, asked for them."""
    log = logging.getLogger("tokengs_nerfstudio")
    log.handlers.clear()
    log.setLevel(logging.NOTSET)


@pytest.fixture
def no_shape_checks() -> Iterator[None]:
    """Annotations unchecked, as for users: what is tested is our own message, not the type checker's."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def threads() -> Iterator[None]:
    """As many threads afterwards as before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small capture that every run may look at and none changes."""
    from made.captures import write_blobs

    return write_blobs(tmp_path_factory.mktemp("blobs") / "scene")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small network, for reading alone as well."""
    from made.captures import write_weights

    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture(scope="session")
def finished(capture: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one step."""
    from made.tuned_runs import run_config, trained

    output = tmp_path_factory.mktemp("finished")
    trained(run_config(capture, weights, output, steps=1))
    return output / "blobs/tokengs/run"


@pytest.fixture
def small_preset(monkeypatch) -> None:
    """The preset `tiny` as a network that trains in a moment."""
    from made.training import SMALL  # imports the package, whose shapes are checked from the hook above on

    from tokengs_nerfstudio.core.network.config import PRESETS

    monkeypatch.setitem(PRESETS, "tiny", replace(SMALL, tokens=8, gaussians_per_token=4))


@pytest.fixture
def registered(monkeypatch) -> None:
    """`tokengs-pretrain` as after an installation: nerfstudio finds the method by its entry point."""
    from nerfstudio.configs.method_configs import all_methods

    from tokengs_nerfstudio.configs import tokengs_pretrain

    monkeypatch.setitem(all_methods, "tokengs-pretrain", tokengs_pretrain.config)


def pytest_report_header() -> str | None:
    return None if CHECKED else "beartype is not installed: shapes in annotations are not checked"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="all odd inputs (every_case), not one of each kind")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--all"):
        waiting = [item for item in items if item.get_closest_marker("every_case")]
        config.hook.pytest_deselected(items=waiting)
        items[:] = [item for item in items if item not in waiting]
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))
