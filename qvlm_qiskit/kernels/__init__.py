"""Quantum kernels: feature maps, fidelities of their states, and what is learned from them.

:mod:`feature_maps` are circuits by name, :mod:`kernel` is a kernel as scikit-learn takes one, exact
or on a machine, :mod:`gaussian` its classical twin, :mod:`alignment` fits both to labels,
:mod:`concentration` says what is left of one with many qubits. Estimators with ``fit`` and
``predict`` are in :mod:`support_vectors`, :mod:`forest` and :mod:`variational`;
:mod:`independence` has tests of conditional independence and causal discovery, and :mod:`ad_hoc`
the data that such a kernel is made for.
"""

from qvlm_qiskit.kernels.ad_hoc import AdHocData, ad_hoc_data
from qvlm_qiskit.kernels.alignment import Alignment, align, target_alignment
from qvlm_qiskit.kernels.concentration import Concentration, concentration, of_random_states
from qvlm_qiskit.kernels.feature_maps import (
    FEATURE_MAPS,
    feature_map,
    havlicek,
    resource_efficient,
)
from qvlm_qiskit.kernels.forest import QuantumForestClassifier, QuantumForestRegressor
from qvlm_qiskit.kernels.gaussian import GaussianKernel
from qvlm_qiskit.kernels.independence import (
    CopiedKernel,
    Discovery,
    discover,
    independence_pvalue,
)
from qvlm_qiskit.kernels.kernel import KernelPlan, QuantumKernel
from qvlm_qiskit.kernels.support_vectors import QuantumSVC, QuantumSVR
from qvlm_qiskit.kernels.variational import VariationalRegressor

__all__ = [
    "FEATURE_MAPS",
    "AdHocData",
    "Alignment",
    "Concentration",
    "CopiedKernel",
    "Discovery",
    "GaussianKernel",
    "KernelPlan",
    "QuantumForestClassifier",
    "QuantumForestRegressor",
    "QuantumKernel",
    "QuantumSVC",
    "QuantumSVR",
    "VariationalRegressor",
    "ad_hoc_data",
    "align",
    "concentration",
    "discover",
    "feature_map",
    "havlicek",
    "independence_pvalue",
    "of_random_states",
    "resource_efficient",
    "target_alignment",
]
