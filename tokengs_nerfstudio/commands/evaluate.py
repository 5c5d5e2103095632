"""tokengs-evaluate dl3dv-6view --data ROOT --checkpoint NAME: weights on a benchmark, by its published protocol.

Started again with the same output folder it goes on where it was, also after a kill.
`torchrun --nproc-per-node 2 --no-python tokengs-evaluate ...`: several processes share the scenes.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

import torch

from tokengs_nerfstudio.commands.evaluating import Evaluating, PresetName
from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.commands.progress import Display, display
from tokengs_nerfstudio.core.checkpoint.listing import as_text, named_weights
from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.device import device_name
from tokengs_nerfstudio.core.errors import UserError, message, one_line
from tokengs_nerfstudio.core.files import FolderLock, remove_scratch
from tokengs_nerfstudio.core.metrics import perceptual_distance
from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.training.ranks import Ranks
from tokengs_nerfstudio.core.tuning.schedule import chosen_space
from tokengs_nerfstudio.core.types import Example
from tokengs_nerfstudio.data.examples.batches import made_ahead
from tokengs_nerfstudio.evaluation.axes import without_scenes, write_axes
from tokengs_nerfstudio.evaluation.benchmark import benchmark
from tokengs_nerfstudio.evaluation.cases import Case, LoadedCase, load
from tokengs_nerfstudio.evaluation.measuring import Measured, mean, measure
from tokengs_nerfstudio.evaluation.media import complete, write_media
from tokengs_nerfstudio.evaluation.protocols import Scaling, Weights
from tokengs_nerfstudio.evaluation.results import Record, Results
from tokengs_nerfstudio.evaluation.tables import lpips_known, scene_table, write_metrics
from tokengs_nerfstudio.evaluation.variants import Variant


@dataclass(frozen=True)
class Job:
    """One scene in one variant of the benchmark."""

    variant: Variant
    scene: str

    @property
    def key(self) -> tuple[str, str]:
        """As records are known by."""
        return self.variant.key, self.scene


@dataclass(frozen=True)
class Opened:
    """A job whose photos are read; `problem` says why they are not, and without both the job is impossible."""

    case: Case | None = None
    photos: LoadedCase | None = None
    problem: str | None = None


class Run:
    """An evaluation and the files of its folder.

    UserError where options, weights, data or the folder cannot be used.
    """

    def __init__(self, config: Evaluating) -> None:
        self.config, self.ranks = config, Ranks(config.device)
        if self.ranks.device.type == "cpu":
            torch.set_num_threads(config.threads)
        network = load_network(config.checkpoint, num_tokens=config.tokens, precision=config.precision)
        self.network: TokenGSNetwork = network.to(self.ranks.device)
        weights = Weights.of(config.checkpoint, network.config)
        self.framing = weights.framing(config.protocol, config.size, config.short_side, config.crop)
        self.scaling = Scaling.of(network.config, config.protocol.layout)
        self.images = config.images or weights.image_folder
        self.benchmark = benchmark(config.protocol, config.root, config.index, self.images, network.config.background)
        if config.tuning != "none":
            chosen_space(config.tuning, network.config, config.protocol.num_context, 0)  # raises what no scene can have
        self.scenes = list(self.benchmark.scenes)[: config.limit]
        self.broken: dict[str, str] = {}
        self._rehearsed: set[str] = set()
        self._without_media: set[str] = set()

    def evaluate(self) -> None:
        """All scenes that are not done yet, and then the tables."""
        with display(speaks=self.ranks.first) as shown:
            lock = self._locked() if self.ranks.first else None
            self.ranks.gathered(None)  # nobody reads or writes before the folder is tidied
            self.results = Results(self.config.folder, self._identity)
            try:
                self._evaluate(shown)
            except KeyboardInterrupt:
                shown.say("interrupted; the same command goes on from there")
                raise SystemExit(130) from None
            finally:
                self.ranks.close()
                if lock is not None:
                    lock.close()

    @property
    def _identity(self) -> Mapping[str, Any]:
        """What decides a scene's record."""
        return {**self.config.identity(self.network, self.framing), "images": self.images}

    def _locked(self) -> FolderLock:
        folder = self.config.folder
        folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder, "another command evaluates there: wait, or give another --output")
        for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            remove_scratch(inner)
        return lock

    def _evaluate(self, shown: Display) -> None:
        lpips = perceptual_distance(self.config.lpips)
        if lpips is None:
            shown.say("LPIPS is left out: its weights are not on this machine")
        if self.benchmark.missing:
            names = self.benchmark.missing
            shown.say(
                f"{len(names)} scenes of the index are not there: {', '.join(names[:3])}{' ...' * (len(names) > 3)}"
            )
        for record in self._known():
            self.results.add(record, write=self.ranks.first)
        self._without_media = self._scenes_without_media()
        jobs = [Job(variant, scene) for variant in self.config.variants for scene in self.scenes]
        todo = [job for job in jobs if job.key not in self.results.records or self._lacks_media(job)]
        self._work(jobs, todo, shown)
        if self.ranks.first:
            self._write(shown)

    def _known(self) -> list[Record]:
        """Records that other machines have and this one has not."""
        everybody = self.ranks.gathered(dict(self.results.records))
        known: dict[tuple[str, str], Record] = {}
        for theirs in everybody:
            known = {**theirs, **known}
        return [record for key, record in known.items() if key not in self.results.records]

    def _scenes_without_media(self) -> set[str]:
        """Those that ought to have media and of which no machine has: all processes must come to the same."""
        folder, wanted = self.config.folder, self.scenes[: self.config.media]
        return set.intersection(*self.ranks.gathered({scene for scene in wanted if not complete(folder, scene)}))

    def _work(self, jobs: Sequence[Job], todo: Sequence[Job], shown: Display) -> None:
        """In rounds of one scene a process: none has to wait longer than for one scene."""
        mine = todo[self.ranks.rank :: self.ranks.count]
        opened = made_ahead(lambda number: self._opened(mine[number]) if number < len(mine) else Opened(), 0, 1)
        started, before = time.monotonic(), len(jobs) - len(todo)
        for number in range(-(-len(todo) // self.ranks.count)):
            outcome = self._outcome(mine[number], next(opened)) if number < len(mine) else None
            for rank, found in enumerate(self.ranks.gathered(outcome)):
                self._take(found, rank == self.ranks.rank, shown)
            done = min((number + 1) * self.ranks.count, len(todo))
            left = (time.monotonic() - started) / done * (len(todo) - done)
            shown.update((before + done) / len(jobs), self._progress(before + done, len(jobs), left))
        opened.close()

    def _progress(self, done: int, jobs: int, left: float) -> str:
        values = [record["means"]["psnr"] for (variant, _), record in self.results.records.items() if not variant]
        quality = f", PSNR {mean(values):.2f} dB" if values else ""
        return f"{done} of {jobs} scenes{quality}, {timedelta(seconds=round(left))} left"

    def _opened(self, job: Job) -> Opened:
        """In the background. Whatever is wrong with a scene's files is said later."""
        try:
            case = self.benchmark.case(job.scene, self.config.scored == "all")
            views = job.variant.views(case)
            if views is None:
                return Opened()
            case = replace(case, views=views)
            return Opened(case, load(case, views, self.framing, self.scaling))
        except Exception as error:
            problem = message(error)
            if problem is None:
                raise
            return Opened(problem=problem)

    def _outcome(self, job: Job, opened: Opened) -> Record | None:
        """The record of a scene, or what is wrong with it."""
        about = {"scene": job.scene, "variant": job.variant.key}
        if opened.problem is not None:
            return {**about, "problem": opened.problem}
        if opened.case is None or opened.photos is None:
            return None
        try:
            measured = self._measured(job, opened.photos)
        except UserError as error:
            return {**about, "problem": message(error)}
        views = opened.case.views
        if self._lacks_media(job):
            write_media(self.config.folder, job.scene, views.target, measured)
        beyond = job.variant.beyond(opened.case, views)
        scores = {**measured.scores, **({"beyond": beyond} if beyond else {})}
        frames = {"context": list(views.context), "target": list(views.target)}
        size = list(opened.case.scene.image_size)
        return {**about, **frames, "photo_size": size, "means": measured.means, "views": scores}

    def _measured(self, job: Job, photos: LoadedCase) -> Measured:
        config = self.config
        context, supervised = (
            job.variant.seen(views, job.scene, config.seed) for views in (photos.example.context, photos.supervised)
        )
        case = replace(photos, example=Example(context, photos.example.target), supervised=supervised)
        rehearsed, self._rehearsed = job.variant.key in self._rehearsed, {*self._rehearsed, job.variant.key}
        network = job.variant.network(self.network)
        return measure(network, case, config.scene_tuning, config.seed, config.lpips, rehearsed)

    def _take(self, found: Record | None, own: bool, shown: Display) -> None:
        """What a process has come to, by all of them in the same order."""
        if found is None:
            return
        if "problem" not in found:
            known = found["variant"], found["scene"]
            if known not in self.results.records:
                self.results.add(found, write=own or self.ranks.first)
            return
        if found["scene"] in self.broken:  # said of another variant
            return
        shown.say(f"left out: {found['scene']}: {found['problem']}")
        self.broken[found["scene"]] = found["problem"]
        if len(self.broken) > self.config.broken * len(self.scenes):
            raise UserError(
                f"{len(self.broken)} of {len(self.scenes)} scenes cannot be evaluated, the last one being "
                f"{found['scene']}: {found['problem']} (--broken lets more of them be)"
            )

    def _lacks_media(self, job: Job) -> bool:
        return not job.variant.key and job.scene in self._without_media

    def _write(self, shown: Display) -> None:
        by_variant = {
            variant: [
                self.results.records[variant.key, scene]
                for scene in self.scenes
                if (variant.key, scene) in self.results.records
            ]
            for variant in self.config.variants
        }
        plain = by_variant[self.config.variants[0]]
        if not plain:
            raise UserError(f"no scene of {self.config.root} could be evaluated")
        about = self._about(plain)
        write_metrics(self.config.folder, about, plain)
        shown.say(scene_table(f"{self.config.preset}, {self.config.checkpoint}", plain).text())
        for table in write_axes(self.config.folder, about, by_variant):
            shown.say(table.text())
        for title in without_scenes(by_variant):
            shown.say(f"{title}: no table, for no scene has frames enough")
        shown.say(f"results: {self.config.folder / 'metrics.txt'}")

    def _about(self, records: Sequence[Record]) -> Mapping[str, Any]:
        device = self.ranks.device
        context = sorted({len(record["context"]) for record in records})
        return {
            **self.results.identity,
            "context_views": context[0] if len(context) == 1 else context,
            "checkpoint": self.config.checkpoint,
            "context_counts": self.config.scored == "all",
            "device_name": device_name(device),
            "threads": self.config.threads if device.type == "cpu" else None,
            "photo_sizes": sorted({tuple(record["photo_size"]) for record in records if "photo_size" in record}),
            "lpips": lpips_known(records),
            "scenes": len(records),
            "of_scenes": len(self.scenes) + len(self.benchmark.missing),
            "missing": list(self.benchmark.missing),
            "broken": self.broken,
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-evaluate`; what is wrong ends it with one line and a non-zero code."""
    import tyro

    @dataclass(frozen=True)
    class Options(Evaluating):
        __doc__ = Evaluating.__doc__
        preset: Annotated[PresetName | None, tyro.conf.Positional] = None
        only_list: Annotated[bool, tyro.conf.arg(name="list")] = False

    options = parsed("tokengs-evaluate", Options, arguments)
    if options.only_list:
        print(as_text(named_weights()))
        return
    with one_line():
        Run(options).evaluate()


if __name__ == "__main__":
    main()
