"""JSON that users write, by hand or with other programs: what is wrong with its text is one line naming the file."""

import json
from pathlib import Path
from typing import Any

from tokengs_nerfstudio.core.errors import UserError, printable


def read_json(file: Path) -> Any:
    """The content of a file; errors as in `json_content`, and OSError where there is none that can be read."""
    return json_content(file.read_bytes(), file)


def json_content(text: bytes, source: object) -> Any:
    """What a text from `source` says; UserError for what is no JSON in UTF-8, and where an object has a key twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise _twice(pairs, source)
        return fields

    try:
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=once)  # Windows' editors begin a file with a mark
    except UserError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not text in UTF-8 ({error.reason}); save it so") from error
    except RecursionError as error:
        raise UserError(f"{source} is not valid JSON: it is nested too deeply") from error
    except ValueError as error:
        raise UserError(f"{source} is not valid JSON: {error}") from error


def _twice(pairs: list[tuple[str, Any]], source: object) -> UserError:
    keys = [key for key, _ in pairs]
    twice = next(key for place, key in enumerate(keys) if key in keys[:place])
    values = [printable(repr(value))[:60] for key, value in pairs if key == twice]
    return UserError(
        f"{source} has '{printable(twice)}' {len(values)} times in one object ({', '.join(values)}): keep the one that "
        "is meant"
    )
