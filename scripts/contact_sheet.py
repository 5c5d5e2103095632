"""One picture of a finished run: context photos, held-out photos, and the same views rendered."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from tokengs_nerfstudio.core.files import replacing
from tokengs_nerfstudio.data.contact_sheet import context_photos, rendered_photos, sheet


@dataclass(frozen=True)
class ContactSheet:
    """Put a run's context, ground truth and renders of held-out views into one PNG."""

    capture: Path
    """folder of the capture"""
    run: Path
    """folder of the run, with its config.yml"""
    renders: Path
    """what `ns-render dataset --split test --rendered-output-names rgb gt-rgb` wrote, down to the folder `test`"""
    output: Path
    """the PNG"""
    columns: int = 6
    """most pictures in a row"""


def main(args: ContactSheet) -> None:
    truth, rendered = rendered_photos(args.renders / "gt-rgb"), rendered_photos(args.renders / "rgb")
    rows = {
        "context: what the network sees": context_photos(args.capture, args.run)[: args.columns],
        "held-out photos: never seen by network or tuning": truth[: args.columns],
        "the same views, rendered": rendered[: args.columns],
    }
    with replacing(args.output) as scratch:
        sheet(rows).save(scratch, format="PNG")
    print(args.output)


if __name__ == "__main__":
    main(tyro.cli(ContactSheet))
