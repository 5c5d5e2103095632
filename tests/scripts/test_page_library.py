"""The viewer's bundle for exported pages, and what is made of npm's module."""

import base64
import re

import page_library

WORKER = "self.onmessage = () => 0; const here = import.meta.url;" + " " * 400 + "\n//# sourceMappingURL=w.js.map\n"
MODULE = f"""class A {{}}
const w = "{base64.b64encode(WORKER.encode()).decode()}";
new Worker(new Blob(["URL.revokeObjectURL(import.meta.url);", w]), {{ type: "module" }});
const here = import.meta.url, shader = "float clip = 1.2 * pos2d.w;";
export {{
  {", ".join(f"A as {name}" for name in (*page_library.USED, "Other"))}
}};
//# sourceMappingURL=index.es.js.map
"""


def test_a_module_becomes_a_classic_script_with_its_licence():
    text = page_library.bundled(MODULE, "MIT License\n\nCopyright (c) Somebody\n")
    assert text.startswith("/*! gsplat 1.2.9")
    assert " * Copyright (c) Somebody\n" in text
    assert not re.search(r"import\.meta|^export|sourceMappingURL|\"module\"", text, re.MULTILINE)
    assert "clip = 3.0 * pos2d.w" in text
    assert "Other" not in text
    worker = base64.b64decode(re.search(r'const w = "([^"]+)"', text)[1]).decode()  # type: ignore[index]
    assert worker == 'self.onmessage = () => 0; const here = "";'


def test_what_is_bundled_is_of_that_kind():
    text = page_library.BUNDLE.read_text(encoding="utf-8")
    assert text.startswith(f"/*! {page_library.PACKAGE} {page_library.VERSION}")
    assert "Permission is hereby granted" in text
    assert "</script" not in text
    assert not re.search(r"import\.meta|^export|type: \"module\"", text, re.MULTILINE)
    workers = [base64.b64decode(part).decode() for part in re.findall(r'const \w+ = "([A-Za-z0-9+/=]{400,})"', text)]
    assert len(workers) == 2
    assert not any("import.meta" in worker for worker in workers)
    assert len(text) < 160_000
