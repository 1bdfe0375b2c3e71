"""What a step of a model costs, part by part: quantum, classical twin and plain.

`components` says what the parts are and catches what each is given in a real forward pass, `clock`
measures times and memory, `profile` puts the three models side by side, `plot` draws them.
"""

from qvlm_qiskit.profiling.profile import Profile as Profile
from qvlm_qiskit.profiling.profile import profile as profile
