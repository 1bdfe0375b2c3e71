"""A program named java that answers as the two programs of COCO's evaluation would."""

import sys
from pathlib import Path

SCRIPT = f"""#!{sys.executable}
import sys
lines = sys.stdin.read().split("\\n")[:-1]
{{body}}
"""
LOWER = "for line in lines: print(line.lower().replace('.', ' .'))"


def install(folder, patch, body=LOWER):
    """Put it on the path alone, with a pycocoevalcap that holds nothing but empty jars."""
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(SCRIPT.format(body=body))
    program.chmod(0o755)
    patch.setenv("PATH", str(program.parent))
    for jar in ("tokenizer/stanford-corenlp-3.4.1.jar", "meteor/meteor-1.5.jar"):
        place = Path(folder, "site", "pycocoevalcap", jar)
        place.parent.mkdir(parents=True)
        place.touch()
    (folder / "site" / "pycocoevalcap" / "__init__.py").touch()
    patch.syspath_prepend(folder / "site")
