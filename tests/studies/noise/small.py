"""A small noise study."""

from qvlm_qiskit.studies.noise import NoiseStudy
from qvlm_qiskit.studies.noise.grid import NoiseOptions

DEVICE = "noisy:fake_manila"
SMALL = {"strengths": (0.0, 2.0), "questions": 4, "rows": 3, "shots": (50,)}


def key_of(grid, run, out):
    """The key of a grid's first cell."""
    study = NoiseStudy(NoiseOptions.of(grid, [run.path]), out)
    return study.key(study.cells()[0])
