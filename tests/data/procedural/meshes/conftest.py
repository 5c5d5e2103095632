import pytest
from made.meshes import small_sources

from tokengs_nerfstudio.data.procedural.meshes.library import MeshLibrary, MeshSources, library_of


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> MeshSources:
    """A small pack with a few small pictures."""
    return small_sources(tmp_path_factory.mktemp("meshes"))


@pytest.fixture(scope="session")
def library(sources) -> MeshLibrary:
    """The same as the kernels take it."""
    return library_of(sources)
