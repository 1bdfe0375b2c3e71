"""``python -m qvlm_qiskit`` is ``qvlm``."""

import sys

from qvlm_qiskit.cli import main

sys.exit(main())
