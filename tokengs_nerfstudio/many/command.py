"""tokengs-reconstruct CAPTURES... --out DIR: any number of captures, each as `ns-train tokengs` does it.

Started again with the same folder it goes on where it was, also after a kill; what has changed is done anew.
"""

from collections.abc import Sequence
from contextlib import closing
from functools import partial

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.commands.progress import Display, display
from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.errors import UserError, one_line
from tokengs_nerfstudio.core.files import write_text
from tokengs_nerfstudio.core.fingerprint import digest
from tokengs_nerfstudio.evaluation.report.captures import captures_page, read_captures
from tokengs_nerfstudio.evaluation.report.page import html
from tokengs_nerfstudio.many.captures import captures_of
from tokengs_nerfstudio.many.folder import ResultFolder
from tokengs_nerfstudio.many.on_ray import RayWorkers, Share
from tokengs_nerfstudio.many.options import Reconstructing, workers_here
from tokengs_nerfstudio.many.pool import LocalWorkers, Workers
from tokengs_nerfstudio.many.work import Tally, work
from tokengs_nerfstudio.many.worker import Worker

REPORT = "report.html"


def reconstruct_all(options: Reconstructing, shown: Display) -> None:
    """All captures; UserError, after everything that can be done is done, where some are set aside."""
    captures = captures_of(options.captures)
    weights = digest(load_network(options.checkpoint, num_tokens=options.tokens))
    with closing(ResultFolder(options.out, options.plan.identity(weights))) as folder:
        jobs = folder.jobs(captures)
        tally = Tally(len(captures), len(captures) - len(jobs))
        if tally.done:
            shown.say(f"{tally.done} of {len(captures)} captures are done already")
        try:
            if jobs:
                with closing(_workers(options, len(jobs), shown)) as workers:
                    work(jobs, workers, folder, tally, options.retries, shown)
        finally:
            write_text(folder.folder / REPORT, html("Captures", captures_page(read_captures(folder.folder))))
        shown.say(f"{tally.done} of {len(captures)} captures are done: {folder.folder / REPORT}")
        for name, problem in tally.failed.items():
            shown.say(f"set aside: {name}: {problem} ({folder.folder / name})")
    if tally.failed:
        raise UserError(f"{len(tally.failed)} of {len(captures)} captures failed; the same command tries them again")


def _workers(options: Reconstructing, jobs: int, shown: Display) -> Workers:
    if options.ray is not None:
        share = Share(options.threads or 1, options.gpus if options.device == "cuda" else 0.0)
        make = partial(Worker, options.plan, share.cpus)
        on_ray = RayWorkers(make, options.ray, min(jobs, options.processes or jobs), share)
        shown.say(f"{jobs} captures for {on_ray.count} workers on Ray ({options.ray})")
        return on_ray
    count, threads = workers_here(options, jobs)
    shown.say(f"{jobs} captures for {count} worker{'s' * (count > 1)} with {threads} thread{'s' * (threads > 1)} each")
    return LocalWorkers(partial(Worker, options.plan, threads), count, options.device == "cuda")


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-reconstruct`; what is wrong ends it with one line and a non-zero code."""
    options = parsed("tokengs-reconstruct", Reconstructing, arguments)
    with one_line(), display() as shown:
        try:
            reconstruct_all(options, shown)
        except KeyboardInterrupt:
            shown.say("interrupted; the same command goes on from there")
            raise SystemExit(130) from None


if __name__ == "__main__":
    main()
