"""Bundle the viewer of exported web pages anew from npm: python scripts/page_library.py [--check]

Fetches the pinned package, checks it against its hash, and makes of its module one script that runs from disk: pages
opened as file:// have no origin, so that module workers do not start in them and modules cannot be loaded from beside.
With --check nothing is written; status 1 where the bundle in the package is another one.
"""

import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE, VERSION = "gsplat", "1.2.9"
SHA512 = (
    "cdfa5a2fd4c4403e281cd7ac2fbeca61e4605af232dbeecfde346c380d1df12a"
    "380affce10b468317a3af3b6445ea50c09e9225c9829170f5dcf5db4db534597"
)
BUNDLE = Path(__file__).parents[1] / "tokengs_nerfstudio/data/splat_files/page/gsplat.js"
USED = ("Camera", "Color32", "OrbitControls", "Quaternion", "Scene", "Splat", "SplatData", "Vector3", "WebGLRenderer")


def fetched() -> tuple[str, str]:
    """The package's module and its licence; SystemExit where it is not the one that is known."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent"], cwd=folder, check=True, capture_output=True)
        archive = next(Path(folder).glob("*.tgz"))
        found = hashlib.sha512(archive.read_bytes()).hexdigest()
        if found != SHA512:
            raise SystemExit(f"{PACKAGE} {VERSION} from npm has sha512 {found}, not {SHA512}")
        with tarfile.open(archive) as files:
            texts = [files.extractfile(f"package/{name}") for name in ("dist/index.es.js", "LICENSE")]
            module, licence = (file.read().decode() for file in texts if file is not None)
    return module, licence


def bundled(module: str, licence: str) -> str:
    """A classic script that defines `GSPLAT`, with what pages use of an ES module whose workers are inlined."""
    body, _, exports = module.rpartition("export {")
    names = dict(part.strip().split(" as ")[::-1] for part in exports.partition("}")[0].split(","))
    body = re.sub(r'(const \w+ = ")([A-Za-z0-9+/=]{400,})"', lambda found: f'{found[1]}{_classic(found[2])}"', body)
    body = body.replace('type: "module"', 'type: "classic"').replace("URL.revokeObjectURL(import.meta.url);", "")
    body = body.replace("import.meta.url", '""')
    parts = ", ".join(f"{name}: {names[name]}" for name in USED)
    notice = "\n".join(f" * {line}".rstrip() for line in licence.strip().splitlines())
    return (
        f"/*! {PACKAGE} {VERSION}, https://www.npmjs.com/package/{PACKAGE}\n *\n{notice}\n */\n"
        f'const GSPLAT = (() => {{\n"use strict";\n{body.strip()}\nreturn {{ {parts} }};\n}})();\n'
    )


def _classic(worker: str) -> str:
    """A worker's text, base64, which asks for no module's address any more."""
    text = re.sub(r"//# sourceMappingURL=.*", "", base64.b64decode(worker).decode())
    return base64.b64encode(text.replace("import.meta.url", '""').strip().encode()).decode()


def main() -> int:
    """Writes or compares the bundle."""
    text = bundled(*fetched())
    if "--check" in sys.argv[1:]:
        same = BUNDLE.is_file() and BUNDLE.read_text(encoding="utf-8") == text
        print(f"{BUNDLE} is {'as' if same else 'not as'} npm's {PACKAGE} {VERSION} makes it")
        return 0 if same else 1
    BUNDLE.write_text(text, encoding="utf-8")
    print(f"{BUNDLE}: {len(text) / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
