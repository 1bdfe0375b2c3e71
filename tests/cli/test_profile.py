import json

import pytest

QUICK = ("--recipe", "tiny", "--batch-size", "2", "--rounds", "1")


def test_tables_fit_eighty_columns(qvlm, place, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = qvlm("profile", *QUICK, "--plot", "parts.png")
    assert found.status == 0
    assert [line for line in found.out.splitlines() if len(line) > 80] == []
    for word in ("vision embedding", "positional mixing", "MLA", "MoE", "mHC", "whole step"):
        assert found.out.count(word) >= 2
    assert (place / "parts.png").is_file()


def test_a_run_says_what_its_model_is(qvlm):
    found = qvlm("profile", "run", "--batch-size", "2", "--rounds", "1", "--json")
    data = json.loads(found.out)
    assert (data["recipe"], data["batch_size"], data["backend"]) == ("tiny", 2, "statevector")
    assert set(data["parts"]) == {"quantum", "twin", "plain"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--recipe", "smal"), "did you mean 'small'"),
        (("--rounds", "0"), "--rounds must be at least 1"),
        (("--batch-size", "0"), "batch_size must be at least 1"),
        (("--backend", "nosy"), "nosy"),
        (("--plot", "parts.txt"), "a plot is a file"),
        (("no/such/run",), "no/such/run"),
        (("--streams", "0"), "streams must be 1"),
    ],
)
def test_a_wrong_word_is_one_line(refused, words, says):
    assert says in refused("profile", *QUICK[4:], *words)


def test_a_run_and_a_recipe_contradict(refused):
    assert "leave recipe out" in refused("profile", "run", *QUICK)
