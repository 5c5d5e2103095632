"""What a GPU would have to wait for, found on a CPU."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# What asks a device for numbers, or for how many there are.
ASKING = {"_local_scalar_dense", "is_nonzero", "nonzero", "equal", "_unique2", "masked_select"}


class ReadFromTheHost(TorchDispatchMode):
    """Operations that read tensors of the CPU; those of the meta device stand for a GPU's, and hold no numbers."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, function: Any, types: Any, args: Sequence = (), kwargs: Any = None) -> Any:
        if any(tensor.device.type == "cpu" for tensor in tensors((args, kwargs or {}))):
            self.found.append(str(function))
        return function(*args, **(kwargs or {}))


class MadeOfNumbers(TorchFunctionMode):
    """Tensors that are made of Python's numbers."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, function: Any, types: Any, args: Sequence = (), kwargs: Any = None) -> Any:
        made = function in (torch.tensor, Tensor.new_tensor)
        if made or (function is torch.as_tensor and not isinstance(args[0], Tensor)):
            self.found.append(function.__name__)
        return function(*args, **(kwargs or {}))


def tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from tensors(value)
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))


class Asked(TorchDispatchMode):
    """Operations whose answer the host would have to wait for."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, function: Any, types: Any, args: Sequence = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        chosen = args[1] if name in ("index", "index_put", "index_put_") else ()
        if name in ASKING or any(tensor.dtype == torch.bool for tensor in tensors(chosen)):
            self.found.append(name)
        return function(*args, **(kwargs or {}))


@contextmanager
def watched(*watchers: Callable[[list[str]], AbstractContextManager[Any]]) -> Iterator[list[str]]:
    """What they find meanwhile."""
    found: list[str] = []
    with ExitStack() as stack:
        for watcher in watchers:
            stack.enter_context(watcher(found))
        yield found


def from_the_host() -> AbstractContextManager[list[str]]:
    """Watches what comes from there: tensors of the CPU, and those made of numbers."""
    return watched(MadeOfNumbers, ReadFromTheHost)


def waited_for() -> AbstractContextManager[list[str]]:
    """Watches what the host waits for: copies of numbers, and questions to the device."""
    return watched(MadeOfNumbers, Asked)
