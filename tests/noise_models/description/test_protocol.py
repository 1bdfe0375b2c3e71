import pytest

from qvlm_qiskit.noise_models import ChannelNoise, QubitNoise, ReadoutError
from qvlm_qiskit.noise_models.description.protocol import readout_after


class Foreign:
    """A description of noise that is no ``NoiseSpec``."""

    name, basis_gates, qubits, gates = "mine", ("sx", "rz", "cz"), (), ()
    sources = (ReadoutError(p_meas1_prep0=0.1, p_meas0_prep1=0.2),)

    def check(self):
        pass


def test_channels_are_made_of_any_description():
    assert ChannelNoise(Foreign()).measurement(0, "Z") == pytest.approx([0.1, 0.0, 0.0, 0.7])


def test_readout_errors_come_one_after_the_other():
    up, down = readout_after(QubitNoise(p_meas1_prep0=0.5), Foreign.sources)
    assert (up, down) == pytest.approx((0.5 * 0.8 + 0.5 * 0.1, 0.2))
