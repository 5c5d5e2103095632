"""The scenes of a benchmark, and which of their frames the network sees and is asked for."""

from dataclasses import dataclass, replace

import torch

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.rendering.piecewise import slices
from tokengs_nerfstudio.core.types import Example, Views
from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.evaluation_index import EvaluationIndex
from tokengs_nerfstudio.data.scene import Scene
from tokengs_nerfstudio.data.view_sampler import ViewSelection, spread_views
from tokengs_nerfstudio.evaluation.protocols import Framing, Scaling

HOLD_OUT, FIRST = 4, 2
"""Of captures one frame in so many, by name, is held out, from this one on."""

_TOGETHER = 8


@dataclass(frozen=True)
class Case:
    """One scene of a benchmark."""

    scene: Scene
    views: ViewSelection
    known: tuple[int, ...]
    """frames that another context may be chosen from, in the order that they were taken in"""
    sequence: tuple[int, ...] = ()
    """all frames of the protocol in the order that they were taken in; none where there is no such order"""

    @property
    def name(self) -> str:
        """The scene's."""
        return self.scene.name


@dataclass(frozen=True)
class LoadedCase:
    """What is read of a case before it is evaluated; one scene in the world frame."""

    example: Example
    """context and compared photos"""
    supervised: Views
    """the context at the size that is compared, which tunings see"""
    scale: float | None
    """what lengths are multiplied by for the network; None where the network's own rule decides"""
    novel: tuple[int, ...]
    """which of the compared photos are not in the context"""


def indexed(scene: Scene, index: EvaluationIndex) -> Case:
    """A scene as an evaluation index has it. UserError where the scene does not have these frames."""
    try:
        views = index.select(scene.name, len(scene.c2w))
    except IndexError as error:
        raise UserError(str(error)) from error
    touched = tuple(sorted({*views.context, *views.target}))
    return Case(scene, views, touched, touched)


def held_out(capture: NerfstudioCapture, num_context: int) -> Case:
    """A capture whose frames 2, 6, 10, ... by name are asked for; the context is the sampler's choice among the rest.

    UserError for a capture of fewer than four frames.
    """
    order = tuple(sorted(range(len(capture)), key=lambda index: capture.file_names[index]))
    target = order[FIRST::HOLD_OUT]
    known = tuple(index for index in order if index not in set(target))
    if len(order) < HOLD_OUT:
        raise UserError(f"capture '{capture.name}' has {len(order)} frames: at least {HOLD_OUT} are needed")
    context = spread_views(capture.c2w, min(num_context, len(known)), known)
    return Case(capture, ViewSelection(context, list(target)), known, order)


def filmed_at_once(scene: Scene, num_context: int) -> Case:
    """A scene that moves, whose frames are all moments of one camera after another.

    The context are cameras that are spread over their places, each at a moment of its own, which are spread over the
    time; asked for is what all cameras see in the middle of it. UserError for too few cameras or moments.
    """
    moments = 1 if scene.times is None else len(scene.times.unique())
    cameras = len(scene.c2w) // moments
    if min(cameras, moments) < num_context:
        raise UserError(f"scene '{scene.name}' has {cameras} cameras and {moments} moments, {num_context} are needed")
    chosen = spread_views(scene.c2w[::moments], num_context)
    looked = torch.linspace(0, moments - 1, num_context).round().long().tolist()
    context = [camera * moments + moment for camera, moment in zip(chosen, looked)]
    target = [camera * moments + moments // 2 for camera in range(cameras)]
    return Case(scene, ViewSelection(context, target), tuple(range(len(scene.c2w))))


def scored(case: Case, context_too: bool) -> Case:
    """The case with only novel targets, unless those of the context count too. UserError where none is left."""
    if context_too:
        return case
    novel = [index for index in case.views.target if index not in set(case.views.context)]
    if not novel:
        raise UserError(f"scene '{case.name}' has no target outside its context: leave --scored novel out")
    return replace(case, views=ViewSelection(case.views.context, novel))


def load(case: Case, views: ViewSelection, framing: Framing, scaling: Scaling) -> LoadedCase:
    """Reads the photos of `views`, a few at a time, and brings them to their sizes."""
    raw = case.scene.load(views.context)
    parts = slices(len(views.target), _TOGETHER)
    compared = [framing.compared(case.scene.load(views.target[part])) for part in parts]
    target = Views.joined(compared, torch.cat)
    example = Example(framing.seen(raw), target).in_its_times()
    supervised = replace(framing.compared(raw), times=example.context.times)
    novel = tuple(place for place, frame in enumerate(views.target) if frame not in set(views.context))
    return LoadedCase(example, supervised, scaling.factor(raw), novel)
