"""nerfstudio's commands on machines without OpenGL and X11: `python -m tokengs_nerfstudio.late_imports`

ns-export and ns-process-data import open3d and pymeshlab as they start. Only meshes and point clouds use them, but
their native libraries want those of a desktop, so on a server or in a container the commands do not even start. Once
the line above has run, every Python of this environment loads the two when something in them is first used. It writes
one file beside the installed packages, whose name it prints; deleting that file undoes it.
"""

import sys
import sysconfig
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

LATE = ("open3d", "pymeshlab")


class _LateModule(ModuleType):
    """A module that runs when something in it is first asked for."""

    def __getattr__(self, name: str) -> Any:
        # Tools that look at every loaded module ask for names like __file__ and __wrapped__; that is not use.
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.load()
        return getattr(self, name)

    def load(self) -> None:
        """Run the module; raises what its own import raises, again at every use."""
        spec = self.__spec__
        assert spec is not None
        assert isinstance(spec.loader, _LateLoader)
        late, spec.loader = spec.loader, spec.loader.loader
        self.__class__ = ModuleType  # pyright: ignore[reportAttributeAccessIssue]
        try:
            late.loader.exec_module(self)
        except BaseException:
            self.__class__ = _LateModule  # pyright: ignore[reportAttributeAccessIssue]
            spec.loader = late
            raise


class _LateLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LateModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs yet."""


class LateFinder(MetaPathFinder):
    """Finds the modules `names` as others do, but has them run at first use."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent = sys.modules.get(fullname.partition(".")[0])
        if fullname not in self.names:
            if isinstance(parent, _LateModule):
                parent.load()
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _LateLoader(spec.loader)
        return spec


def import_late(names: Sequence[str] = LATE) -> None:
    """From now on the modules `names` run at their first use, in this process."""
    sys.meta_path.insert(0, LateFinder(names))


def write_startup_file(folder: Path) -> Path:
    """Have every Python that finds its packages in `folder` call `import_late` as it starts; the file that says so."""
    file = folder / f"{__package__}_late_imports.pth"
    from tokengs_nerfstudio.core.files import write_text  # brings torch, which no other Python needs as it starts

    # The condition keeps the file harmless where this package is uninstalled later.
    write_text(
        file,
        f"import importlib.util; importlib.util.find_spec({__package__!r}) "
        f"and importlib.import_module({__spec__.name!r}).import_late()\n",
    )
    return file


if __name__ == "__main__":
    print(write_startup_file(Path(sysconfig.get_path("purelib"))))
