"""Write the documents that are generated from the code; with --check, only say which are not current.

Run from the repository's root: `python docs/generate.py [--check]`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import generate_api  # noqa: E402 - found through the line above
import generate_configuration  # noqa: E402
import generate_protocol  # noqa: E402

Document = Callable[[], str]


def as_json(value: object) -> str:
    """Return JSON as it is checked in."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


DOCUMENTS: dict[str, Document] = {
    "protocol.md": generate_protocol.page,
    "asyncapi.json": lambda: as_json(generate_protocol.asyncapi()),
    "configuration.md": generate_configuration.page,
    "api/openapi.json": lambda: as_json(generate_api.openapi()),
    "metrics.md": generate_api.metrics_page,
}


def main(arguments: list[str]) -> int:
    """Return 1 when a document is not current and may not be written."""
    stale = []
    for name, make in DOCUMENTS.items():
        path, text = DOCS / name, make()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    if stale and "--check" in arguments:
        print(f"not current: {', '.join(stale)}; run `make documents`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
