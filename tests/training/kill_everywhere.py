"""Kill a training at every point where it writes, go on with it, and compare the weights.

    python -m tests.training.kill_everywhere                # every point; some minutes
    python -m tests.training.kill_everywhere --every 9      # every ninth

A training with three checkpoints, of which the best is kept, is killed with SIGKILL before each
file that it opens to write, makes, renames or removes, and with half of a checkpoint's file written
(those that torch, safetensors and the Trainer write are not seen by Python). It is gone on with
until it is done; a second kill hits every life that goes on. Printed is what the first kill left,
and whether the run folder is alone in the end, with the weights and the history of a training that
nobody killed.
"""

import argparse
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import safetensors.torch
import torch
import transformers.modeling_utils
from safetensors.torch import load_file
from transformers import TrainerState

from qvlm_qiskit.errors import RunFolderError
from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions, checkpointed, train
from tests.data import miniatures
from tests.jobs.kill_everywhere import in_process

WATCHED = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Writes:
    """Counts the points where something is written below a folder, and dies at one of them."""

    def __init__(self, folder, fatal):
        self.folder, self.fatal, self.names = str(folder), fatal, []
        sys.addaudithook(self._audit)
        self._halve(torch, "save", lambda value, file: torch_bytes(value))
        self._halve(
            transformers.modeling_utils,
            "safe_save_file",
            lambda tensors, file, metadata=None: safetensors.torch.save(tensors, metadata),
        )
        self._halve(
            TrainerState,
            "save_to_json",
            lambda state, file: json.dumps(vars(state), default=str).encode(),
        )

    def pass_(self, name):
        self.names.append(name)
        if len(self.names) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, name, arguments):
        if name not in (*WATCHED, "open") or (name == "open" and not arguments[2] & WRITES):
            return
        path = str(arguments[0])
        if name in ("os.remove", "os.rmdir") and arguments[1] >= 0:  # as shutil.rmtree does
            path = str(Path(f"/proc/self/fd/{arguments[1]}").readlink() / path)
        if self.folder in path:
            self.pass_(f"{name} {path.split(self.folder)[1]}")

    def _halve(self, owner, name, content):
        """Make a function that writes a file also leave half of it, and die."""
        whole = getattr(owner, name)

        def written(value, file, *arguments, **options):
            if isinstance(file, (str, Path)) and str(file).startswith(self.folder):
                if len(self.names) + 1 == self.fatal:
                    found = content(value, file, *arguments, **options)
                    Path(file).parent.mkdir(parents=True, exist_ok=True)
                    Path(file).write_bytes(found[: len(found) // 2])
                self.pass_(f"half of {str(file).split(self.folder)[1]}")
            return whole(value, file, *arguments, **options)

        setattr(owner, name, written)


def torch_bytes(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def life(options, out, fatal, resume):
    """Train, or go on, to the end or to death."""
    torch.set_num_threads(1)
    writes = Writes(out.parent, fatal)
    try:
        train(options, out, resume=resume)
    except RunFolderError:  # it was killed before it wrote down that it has begun
        assert resume and checkpointed(out) is None
        train(options, out)
    (out.parent.parent / f"{out.parent.name}.json").write_text(json.dumps(writes.names))


def lives(options, out, deaths):
    """Train until nothing kills it; what is left then."""
    killed, number = 0, 0
    while True:
        fatal = deaths[number] if number < len(deaths) else None
        status = in_process(life, options, out, fatal, number > 0)
        number += 1
        if os.WIFSIGNALED(status):
            killed += 1
            if killed == 1:
                yield checkpointed(out)
            if out.exists():  # killed after it was put in its place
                return
        elif status:
            raise AssertionError("a training that goes on failed")
        else:
            return


def same(run, whole):
    """Whether weights and history are those of another run."""
    ours, theirs = (load_file(one.path / "model" / "model.safetensors") for one in (run, whole))
    return (
        ours.keys() == theirs.keys()
        and all(torch.equal(ours[name], theirs[name]) for name in ours)
        and run.history() == whole.history()
    )


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.name != ".lock")


def table(root, every):
    """Print a row for every point; how many went wrong."""
    miniatures.image_folder(root / "data", each=6, splits=("train", "val", "test"))
    options = TrainingOptions(
        recipe="tiny", steps=6, batch_size=4, train_samples=12, data=f"folder:{root / 'data'}",
        evaluate_every=2, learning_rate=0.4, schedule="constant", warmup_steps=0,
    )  # fmt: skip
    torch.set_num_threads(1)
    for name in ("imports", "whole"):
        (root / name).mkdir()
        if name == "imports":
            train(options, root / name / "run")
        else:
            list(lives(options, root / name / "run", ()))
    whole = Run.open(root / "whole" / "run")
    names, wrong = json.loads((root / "whole.json").read_text()), 0
    print(f"{len(names)} points; the best of 3 checkpoints is kept: {whole.history()}")
    for number in range(1, len(names) + 1, every):
        folder = root / str(number)
        folder.mkdir()
        (kept,) = lives(options, folder / "run", (number, 3 + number // 2))
        run = Run.open(folder / "run")
        alone = [p.name for p in folder.iterdir()] == ["run"]
        good = alone and files(run.path) == files(whole.path) and same(run, whole)
        wrong += not good
        found = "nothing" if kept is None else f"{kept} steps"
        line = f"{number:>4} {names[number - 1][-70:]:<72}{found:<9}"
        print(f"{line}{'same' if good else 'WRONG'}", flush=True)
        shutil.rmtree(folder)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="only every so manieth point")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        wrong = table(Path(name), options.every)
    print(f"{wrong} wrong" if wrong else "all the same")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
