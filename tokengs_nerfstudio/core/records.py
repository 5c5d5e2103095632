"""What every record of tensors can do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from tokengs_nerfstudio.core.errors import UserError

_Record = TypeVar("_Record", bound="TensorRecord")


class TensorRecord:
    """What every record of tensors can do: change device or dtype, be indexed, joined, stacked.

    Fields are tensors, records of tensors, None where something is not known, or plain values, which stay as they are.
    """

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that are there, each with the name of its field (`context.images` inside another record)."""
        for entry in fields(self):  # type: ignore[arg-type]
            value = getattr(self, entry.name)
            if isinstance(value, Tensor):
                yield entry.name, value
            elif isinstance(value, TensorRecord):
                yield from ((f"{entry.name}.{name}", tensor) for name, tensor in value.tensors())

    def map(self: _Record, function: Callable[[Tensor], Tensor]) -> _Record:
        """The record with `function` of each tensor in its place."""
        return self.zip(self, lambda tensor, _: function(tensor))

    def zip(self: _Record, other: _Record, function: Callable[[Tensor, Tensor], Tensor]) -> _Record:
        """`function` of each tensor and its counterpart in `other`. ValueError where one of the two is missing."""
        combined: dict[str, Any] = {}
        for entry in fields(self):  # type: ignore[arg-type]
            ours, theirs = getattr(self, entry.name), getattr(other, entry.name)
            if (ours is None) != (theirs is None):
                raise UserError(f"'{entry.name}' is present in one {type(self).__name__} and missing in the other")
            if isinstance(ours, Tensor):
                combined[entry.name] = function(ours, theirs)
            elif isinstance(ours, TensorRecord):
                combined[entry.name] = ours.zip(theirs, function)
        return replace(self, **combined)  # type: ignore[type-var]

    @classmethod
    def joined(cls: type[_Record], items: Sequence[_Record], function: Callable[[list[Tensor]], Tensor]) -> _Record:
        """One record from several: `function` of the list of each tensor. Plain values are those of the first.

        ValueError for no items, and where a field is present in some and missing in others.
        """
        if not items:
            raise UserError(f"cannot join {cls.__name__}s: there are none")
        combined: dict[str, Any] = {}
        for entry in fields(cls):  # type: ignore[arg-type]
            column = [getattr(item, entry.name) for item in items]
            if len({value is None for value in column}) > 1:
                raise UserError(
                    f"cannot join {cls.__name__}s: '{entry.name}' is present in some items and missing in others"
                )
            if isinstance(column[0], Tensor):
                combined[entry.name] = function(column)
            elif isinstance(column[0], TensorRecord):
                combined[entry.name] = type(column[0]).joined(column, function)
        return replace(items[0], **combined)  # type: ignore[type-var]

    @classmethod
    def stack(cls: type[_Record], items: Sequence[_Record]) -> _Record:
        """Items of equal shape, stacked along a new batch axis in front."""
        return cls.joined(items, torch.stack)

    @classmethod
    def cat(cls: type[_Record], items: Sequence[_Record]) -> _Record:
        """Items one after another along their first axis."""
        return cls.joined(items, torch.cat)

    def to(self: _Record, *args: Any, **kwargs: Any) -> _Record:
        """`Tensor.to` on every tensor."""
        return self.map(lambda tensor: tensor.to(*args, **kwargs))

    def detach(self: _Record) -> _Record:
        return self.map(lambda tensor: tensor.detach())

    def leaves(self: _Record) -> _Record:
        """The same values as fresh leaves that ask for gradients."""
        return self.map(lambda tensor: tensor.detach().requires_grad_())

    def __getitem__(self: _Record, index: Any) -> _Record:
        """Items along the first axis of all tensors, as a tensor is indexed."""
        return self.map(lambda tensor: tensor[index])

    def unsqueeze(self: _Record) -> _Record:
        """A batch axis of one in front."""
        return self[None]

    def squeeze(self: _Record) -> _Record:
        """The only item of a batch of one; ValueError for any other batch."""
        sizes = {tensor.shape[0] for _, tensor in self.tensors()}
        if sizes != {1}:
            raise UserError(
                f"squeeze() needs a batch of one scene, got {', '.join(map(str, sorted(sizes)))}; "
                "index the batch instead"
            )
        return self[0]
