"""Captures as the dataparser of the method reads them."""

from pathlib import Path

from tokengs_nerfstudio.dataparser import TokenGSDataParserConfig


def outputs(folder: Path, split: str = "train", **options):
    return TokenGSDataParserConfig(data=folder, **options).setup().get_dataparser_outputs(split)


def names(parsed) -> list[str]:
    return [path.stem[-3:] for path in parsed.image_filenames]
