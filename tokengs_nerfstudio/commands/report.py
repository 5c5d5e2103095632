"""tokengs-report RUN...: one page from any number of evaluations and trainings, as HTML and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tokengs_nerfstudio.commands.options import parsed
from tokengs_nerfstudio.core.errors import UserError, one_line
from tokengs_nerfstudio.core.files import replacing, write_text
from tokengs_nerfstudio.core.ranges import NotEmpty
from tokengs_nerfstudio.evaluation.report.captures import are_captures, captures_page, read_captures
from tokengs_nerfstudio.evaluation.report.content import page
from tokengs_nerfstudio.evaluation.report.page import html, picture
from tokengs_nerfstudio.evaluation.report.runs import read_runs


@dataclass(frozen=True)
class Report:
    """Draw one page: runs side by side, differences scene by scene, curves, worst scenes with pictures."""

    runs: Annotated[tuple[Path, ...], NotEmpty()]
    """folders of tokengs-evaluate (with a metrics.json), of tokengs-pretrain (with a log.jsonl) and of
    tokengs-reconstruct (with a reconstruction.json); scenes are compared with those of the first one"""
    output: Path = Path("report.html")
    """the page; a picture of it is written beside it, with the ending .png"""
    title: str = "tokengs"
    """what stands above it"""

    def __post_init__(self) -> None:
        if self.output.suffix != ".html":
            raise UserError(f"--output {self.output}: the page is HTML, so its name ends in .html")


def write_report(config: Report) -> tuple[Path, Path]:
    """The page and the picture. Errors as in `read_runs` and `read_captures`."""
    captures = [run for run in config.runs if are_captures(run)]
    blocks = page(*read_runs([run for run in config.runs if run not in captures]))
    blocks += [block for run in captures for block in captures_page(read_captures(run))]
    image = config.output.with_suffix(".png")
    write_text(config.output, html(config.title, blocks))
    with replacing(image) as scratch:
        picture(config.title, blocks).save(scratch)
    return config.output, image


def main(arguments: Sequence[str] | None = None) -> None:
    """`tokengs-report`; what is wrong ends it with one line and a non-zero code."""
    with one_line():
        print("  ".join(map(str, write_report(parsed("tokengs-report", Report, arguments, positional=True)))))


if __name__ == "__main__":
    main()
