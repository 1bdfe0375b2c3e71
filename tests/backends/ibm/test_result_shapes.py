"""Results with other circuits or shots than were asked for: the client would compute with them."""

import itertools
import json
import math

import numpy as np
import pytest
from ibm_quantum_schemas.common import CompressedTensorModel
from qiskit_ibm_runtime.executor.calculate_twirling_shots import calculate_twirling_shots

from qvlm_qiskit.backends.ibm.decode import decode_executor
from qvlm_qiskit.backends.ibm.result_shapes import check_shapes
from qvlm_qiskit.backends.ibm.runtime_jobs import RuntimeJobs
from qvlm_qiskit.backends.pubs.answer import DamagedResultError
from qvlm_qiskit.backends.pubs.package import Package
from tests.backends.ibm.runtime_jobs.conftest import (  # noqa: F401  (fixtures)
    SHORT,
    machine,
    package,
    pub,
    server,
    shared,
)


def resized(item, change):
    """An item whose measured bits were changed; everything else fits."""
    bits = CompressedTensorModel(**item["results"]["_meas"]).to_numpy()
    tensor = CompressedTensorModel.from_numpy(np.ascontiguousarray(change(bits)))
    return {**item, "results": {**item["results"], "_meas": tensor.model_dump()}}


SPOILT = {
    "half the shots": lambda items: [resized(item, lambda b: b[..., ::2, :]) for item in items],
    "twice the circuits": lambda items: [resized(i, lambda b: b.repeat(2, axis=0)) for i in items],
    "one shot less": lambda items: [resized(items[0], lambda b: b[..., :-1, :]), *items[1:]],
    "one circuit more": lambda items: [
        resized(items[0], lambda b: np.concatenate([b, b[:, :1]], axis=1)), *items[1:]
    ],
    "one circuit less": lambda items: [resized(items[0], lambda b: b[:, :-1]), *items[1:]],
    "an item twice": lambda items: [*items, items[-1]],
    "an item too few": lambda items: items[:-1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("level", "settings"), [(0, {}), (1, {}), (2, {}), (0, {"twirling": {"enable_gates": True}})]
)
def test_what_was_not_asked_for_is_damage(server, machine, package, level, settings):  # noqa: F811
    jobs = RuntimeJobs(machine, level, settings, deadlines=SHORT)
    server_id = jobs.submit(package, f"{level} {settings}", max_seconds=60)
    server.wait()
    raw = jobs.fetch(server_id)
    asked = Package(package.pubs, {"resilience_level": level, **settings})
    assert len(decode_executor(raw, asked)) == 2
    content = json.loads(raw)
    for what, spoil in SPOILT.items():
        spoilt = json.dumps({**content, "data": spoil(content["data"])}).encode()
        with pytest.raises(DamagedResultError, match="can't be read"):
            decode_executor(spoilt, asked)
            pytest.fail(what)


def result(number, each, stated, shots, *, pec=False, twirled=True):
    """What is looked at of a result with one item of five circuits."""
    twirling = {
        "enable_gates": False,
        "enable_measure": twirled,
        "num_randomizations": stated[0],
        "shots_per_randomization": stated[1],
    }
    options = {"twirling": twirling, "resilience": {"pec_mitigation": pec}}
    task = {"program_item_index": 0, "mitigation": None, "param_basis_pairs": [None] * 5}
    return {
        "data": [{"results": {"_meas": {"shape": [number, 5, each, 3]}}}],
        "passthrough_data": {
            "qiskit_mitigation": [task],
            "post_processor": {"options": options, "shots": shots},
        },
    }


@pytest.mark.parametrize("stated", [*itertools.product(["auto", 1, 32, 500], repeat=2)])
def test_the_clients_own_division_of_shots_is_taken(stated):
    for shots in (1, 2, 63, 64, 65, 100, 2048, 4097):
        number, each = calculate_twirling_shots(shots, *stated)
        check_shapes(result(number, each, stated, shots))
        fewer = [(number, each // 2), (number // 2, each)]
        for other in [(2 * number, each), *(few for few in fewer if math.prod(few) < shots)]:
            with pytest.raises(ValueError, match="not asked for"):
                check_shapes(result(*other, stated, shots))


def test_without_twirling_there_is_one_randomization():
    check_shapes(result(1, 100, ("auto", "auto"), 100, twirled=False))
    with pytest.raises(ValueError, match="not asked for"):
        check_shapes(result(2, 50, ("auto", "auto"), 100, twirled=False))


def test_pec_has_as_many_randomizations_as_its_overhead_says():
    check_shapes(result(7, 64, ("auto", "auto"), 100, pec=True))
    with pytest.raises(ValueError, match="not asked for"):
        check_shapes(result(1, 64, ("auto", "auto"), 100, pec=True))


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [("pea", [[3, 1, 5, 100, 3]]), ("gate_folding", [[1, 5, 100, 3]] * 3)],
)
def test_noise_factors_are_in_one_item_or_in_several(kind, shapes):
    asked = result(1, 100, ("auto", "auto"), 100, twirled=False)
    asked["data"] = [{"results": {"_meas": {"shape": shape}}} for shape in shapes]
    (task,) = asked["passthrough_data"]["qiskit_mitigation"]
    task.update(mitigation=kind, noise_factors=[1, 3, 5])
    check_shapes(asked)
    task["noise_factors"] = [1, 3]
    with pytest.raises(ValueError, match=r"asked for|shape"):
        check_shapes(asked)
