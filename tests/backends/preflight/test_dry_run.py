"""What a machine's service says of a job that it doesn't run, beside the formula."""

import pytest
from qiskit.circuit.library import real_amplitudes

from qvlm_qiskit import open_backend
from qvlm_qiskit.backends.devices.ibm import on_machine
from qvlm_qiskit.backends.ibm.machine import fetch_machine
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.errors import InputError
from tests.runtime_server import RuntimeServer

SUBJECT = {
    "small": (real_amplitudes(2, reps=1), [["ZI"]]),
    "large": (real_amplitudes(3, reps=1), [["ZII"], ["XII"]]),
}


@pytest.fixture(scope="module")
def server():
    with (
        RuntimeServer(["fake_torino", "mock_torino"], instant=True) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.mark.parametrize(
    ("options", "circuits"),
    [
        ({"shots": 400}, 2 * 5),
        ({"shots": 400, "tiles": 4, "mitigation": "readout"}, None),
    ],
)
def test_both_figures_are_of_the_largest_job_and_the_services_is_its_bill(
    server, options, circuits
):
    backend = on_machine(fetch_machine("fake_torino"), BackendOptions(**options))
    mitigation = options.get("mitigation", "none")
    asked = backend.preflight(SUBJECT, 5, mitigations=[mitigation], service_dry_run=True)
    found, (level,) = asked.dry_run, asked.levels
    assert found.refused is None
    assert found.circuits == circuits or circuits is None
    assert found.executions == max(
        sum(w.executions for w in level.work if (w.block, w.calibration) == key)
        for key in {(w.block, w.calibration) for w in level.work}
    )
    *_, job = server.jobs
    assert (job.backend, job.executions) == ("mock_torino", found.executions)
    assert found.seconds_service == pytest.approx(job.executions * 250e-6)
    assert found.seconds_qpu == pytest.approx(2 + found.seconds_service, rel=0.05)
    assert str(found) in asked.notes()
    assert asked.as_dict()["dry_run"]["seconds_service"] == found.seconds_service
    assert server.api.usage_seconds() == 0


def test_where_there_is_none_one_line_says_so_and_the_report_stays(server):
    backend = open_backend("noisy:fake_torino", shots=100)
    asked = backend.preflight(SUBJECT, 2, mitigations=["none"], service_dry_run=True)
    assert "no dry run of the service: noisy:fake_torino is run on this computer" in asked.notes()
    assert asked.fits
    machine = on_machine(fetch_machine("fake_torino"), BackendOptions(shots=10_000_000))
    large = machine.preflight(SUBJECT, 2, mitigations=["none"], service_dry_run=True)
    assert "no job is within the documented limits" in large.dry_run.refused
    plain = machine.preflight(SUBJECT, 2, mitigations=["none"])
    assert plain.dry_run is None


def test_a_dry_run_of_several_mitigations_is_refused():
    backend = open_backend("noisy:fake_manila", shots=100)
    with pytest.raises(InputError, match="name one mitigation"):
        backend.preflight(SUBJECT, 2, service_dry_run=True)
