"""`qvlm`, one of whose processes is killed behind a step: ``-m … RANK STEP train --recipe …``."""

import os
import signal
import sys

from qvlm_qiskit.cli import main
from qvlm_qiskit.training.trainer import Log


def mortal(rank, step):
    """Kill this process behind a step, if it is the one."""
    went_on = Log.on_step_end

    def on_step_end(self, args, state, control, **others):
        if os.environ["RANK"] == rank and state.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return went_on(self, args, state, control, **others)

    Log.on_step_end = on_step_end


if __name__ == "__main__":
    mortal(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
