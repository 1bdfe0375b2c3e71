import csv
import io
import json

import pytest

from qvlm_qiskit.studies.tables import Table, flatten

ROWS = [
    {"key": "a", "size": 1, "value": 2, "right": True, "none": None},
    {"key": "b", "size": 2, "value": 0.5, "right": False, "none": None, "late": "x"},
]


def test_mappings_become_columns_and_lists_become_texts():
    row = {"a": 1, "gates": {"qcnn": {"mean": 0.5}}, "scales": [1, 3], "text": "x", "none": None}
    assert flatten(row) == {
        "a": 1, "gates qcnn mean": 0.5, "scales": "[1, 3]", "text": "x", "none": None,
    }  # fmt: skip


def test_types_are_those_of_the_values_unless_they_are_said():
    assert Table(ROWS, {"none": "float64", "key": "string"}).columns == {
        "none": "float64",
        "key": "string",
        "size": "int64",
        "value": "float64",
        "right": "bool",
        "late": "string",
    }


def test_csv_leaves_what_is_missing_empty():
    found = list(csv.DictReader(io.StringIO(Table(ROWS).as_csv())))
    assert [row["late"] for row in found] == ["", "x"]
    assert [row["none"] for row in found] == ["", ""]


def test_parquet_has_the_same_rows_with_types_and_what_they_are_about():
    parquet = pytest.importorskip("pyarrow.parquet")
    content = Table(ROWS).as_parquet("qvlm-test-study", {"size": (1, 2)})
    found = parquet.read_table(io.BytesIO(content))
    assert found.to_pylist() == [{**ROWS[0], "late": None}, ROWS[1]]
    assert json.loads(found.schema.metadata[b"qvlm-test-study"]) == {"size": [1, 2]}
