"""A run's model for others: its card, and its way to Hugging Face's Hub."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.recipes import HYBRID
from qvlm_qiskit.runs import Run

CARD = "README.md"
_OF_THE_HYBRID = (
    "A hybrid quantum-classical vision-language model that answers questions about images"
)
_FRONT = """---
library_name: transformers
tags: [qvlm-qiskit, qiskit, quantum, vision-language]
pipeline_tag: image-text-to-text
---
"""
_FRONT_OF_OTHERS = """---
library_name: qvlm-qiskit
tags: [qvlm-qiskit, qiskit, quantum]
---
"""


def read_evaluation(path: Path) -> dict[str, Any]:
    """What ``qvlm evaluate --json`` printed.

    Raises:
        InputError: The file is something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        needed = ("backend", "correct", "total", "low", "high")
        if not isinstance(found, dict) or any(key not in found for key in needed):
            raise InputError(f"{path} is not what qvlm evaluate --json prints")
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is not what qvlm evaluate --json prints: {error}") from error
    return found


def model_card(run: Run, evaluations: Sequence[Mapping[str, Any]] = ()) -> str:
    """What a stranger has to know of a run's model, in Markdown with the Hub's front matter.

    Args:
        run: The trained run.
        evaluations: Records of ``qvlm evaluate --json``, each a row of the table.
    """
    parts = [
        _FRONT if run.model_name == HYBRID else _FRONT_OF_OTHERS,
        f"# {run.path.resolve().name}\n",
        _about(run),
        _data(run),
        _results(evaluations),
    ]
    how = _how(run) if run.model_name == HYBRID else _how_others(run)
    return "\n".join([*parts, how])


def push(
    run: Run,
    repository: str,
    evaluations: Sequence[Mapping[str, Any]] = (),
    *,
    private: bool = False,
) -> str:
    """Upload a run's model and its card to the Hub, in one commit.

    Args:
        run: The trained run.
        repository: ``OWNER/NAME``; is made if it is not there.
        evaluations: For the card.
        private: Whether a new repository is private.

    Returns:
        The commit's address.

    Raises:
        InputError: The Hub can't be reached, or refuses it.
    """
    from huggingface_hub import HfApi

    api = HfApi(library_name="qvlm-qiskit")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        copytree(run.path / "model", folder)
        (folder / CARD).write_text(model_card(run, evaluations), encoding="utf-8")
        try:
            api.create_repo(repository, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repository, folder_path=folder, commit_message="Upload by qvlm push"
            )
        except Exception as error:  # its transport has errors of its own
            said = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"can't upload to {repository}: {said[:300]}") from error
    return str(commit.commit_url)


def _about(run: Run) -> str:
    info, options = run.info, run.info["options"]
    own = run.model_name != HYBRID
    blocks = "quantum" if own else options.get("blocks", "quantum")
    what = f"A model of the class `{run.model_name}`" if own else _OF_THE_HYBRID
    lines = [
        f"{what}, made with qvlm-qiskit.",
        "",
        *([] if own else [f"- recipe `{options.get('recipe')}`, blocks: {blocks}"]),
        *(
            f"- {place} block `{chosen}`"
            for place in ("vision", "text")
            if (chosen := options.get(f"{place}_block"))
        ),
        f"- {info.get('parameters', 0):,} parameters, of which "
        f"{info.get('quantum_parameters', 0):,} are angles of circuits",
        _training(info, options),
    ]
    if blocks != "quantum":
        lines.append("- no circuit is trained in it: it is a control of models with circuits")
    return "\n".join(lines) + "\n"


def _training(info: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Where and how long it was trained, as far as a record says."""
    if "steps" not in options:
        return "- trained by hand: no record says how"
    return (
        f"- trained on `{info.get('backend', {}).get('name', 'statevector')}`: "
        f"{options.get('steps')} steps of {options.get('batch_size')} samples, seed "
        f"{options.get('seed')}, {info.get('seconds', 0):,.0f} s"
    )


def _data(run: Run) -> str:
    data = run.info.get("data", {})
    name = str(data.get("name", "digits")).partition(":")
    place = f" (`{Path(name[2].partition('(')[0]).name}`)" if name[2] else ""
    lines = ["## Data\n", f"`{name[0]}`{place}, {data.get('train_samples', 0):,} training samples."]
    for why, about in data.get("skipped", {}).items():
        lines.append(f"{about['rows']:,} rows were passed over: {why}.")
    return "\n".join(lines) + "\n"


def _results(evaluations: Sequence[Mapping[str, Any]]) -> str:
    if not evaluations:
        return "## Results\n\nNone were given when this card was made.\n"
    head = [
        "| machine | calibrated | shots | mitigation | right | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    rows = [_row(found) for found in evaluations]
    others = [line for found in evaluations for line in _metrics(found)]
    about = "## Results\n\nRight is what matches an accepted answer word for word.\n"
    return "\n".join([about, *head, *rows, "", *others]).rstrip() + "\n"


def _row(found: Mapping[str, Any]) -> str:
    on, low, high = found["backend"], found["low"], found["high"]
    cells = [
        on["name"],
        str(on.get("calibration_date") or "–")[:10],
        str(on.get("shots") or "exact"),
        on.get("mitigation", "none"),
        f"{found['correct']}/{found['total']}, {found['correct'] / found['total']:.1%}",
        f"{low:.1%} – {high:.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def _metrics(found: Mapping[str, Any]) -> list[str]:
    """A line for each metric beside what the table has."""
    named = [one for one in found.get("metrics", []) if one.get("metric") != "exact-match"]
    return [
        f"- {found['backend']['name']}, {one['label']}: {one['value']:.4g} "
        f"({one['low']:.4g} – {one['high']:.4g})"
        for one in named
    ]


def _how(run: Run) -> str:
    questions = list(run.info.get("data", {}).get("questions", {}).values())
    question = questions[0] if questions else "which digit is on the left?"
    return f"""## Use

```python
from PIL import Image
from qvlm_qiskit.evaluation import answer
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor

name = "OWNER/NAME"  # or this folder
model, processor = HybridVLM.from_pretrained(name).eval(), HybridVLMProcessor.from_pretrained(name)
print(answer(model, processor, [Image.open("image.png")], [{question!r}]))
```

`model.run_on(open_backend("ibm:…"))` sends its circuits to a machine.

Limits: it was trained on the data named above alone, and says something about any image. What its
circuits do to accuracy is only known where twins were trained beside.
"""


def _how_others(run: Run) -> str:
    """How a model of a class that is not in this repository is used."""
    questions = dict(run.info.get("data", {}).get("questions", {}))
    return f"""## Use

The class `{run.model_name}` is not in this repository: install its package, or put its file on
`PYTHONPATH`.

```python
from pathlib import Path
from huggingface_hub import snapshot_download
from PIL import Image
from qvlm_qiskit.models import find_model

folder = Path(snapshot_download("OWNER/NAME"))  # or this folder
model = find_model({run.model_name!r}).load(folder)
print(model.answers([model.sample(Image.open("image.png"), None, {questions!r})]))
```

`model.run_on(open_backend("ibm:…"))` sends its circuits to a machine.

Limits: it was trained on the data named above alone, and says something about any image.
"""
