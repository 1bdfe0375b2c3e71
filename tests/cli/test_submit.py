import json
from dataclasses import replace

from qvlm_qiskit.cli.submit import _print_plan
from qvlm_qiskit.inference.plan import EvaluationPlan
from qvlm_qiskit.jobs.costs.forecast import Forecast
from qvlm_qiskit.jobs.costs.learned import Learned
from qvlm_qiskit.jobs.ledger.runs import list_runs
from tests.cli.small_runs import MACHINE, STORE
from tests.cli.tables import cells, widest


def test_a_dry_run_says_what_it_would_cost_and_sends_nothing(qvlm, ledger):
    found = qvlm("submit", "run", *MACHINE, *STORE, "--prefetch", "--dry-run", "--json")
    plan = json.loads(found.out)
    assert (plan["prefetch"], plan["with_prefetch"]["jobs"], plan["waits"]["with"]) == (True, 2, 1)
    assert plan["without_prefetch"]["jobs"] == plan["waits"]["without"] > 2
    assert plan["with_prefetch"]["executions"] == 100 * plan["with_prefetch"]["rows"]
    assert (ledger().count_jobs(), list_runs(ledger())) == (0, [])


def test_both_figures_are_shown_where_bills_have_taught_one(capsys):
    costs = Forecast(3, 0, 2, {"qcnn": 2}, 600, 4.15)
    more = Forecast(9, 0, 1, {"qcnn": 1}, 1800, 10.0)
    plan = EvaluationPlan(None, (), costs, more, False, Learned(5, -2.0, 1.5))
    _print_plan(plan, words=True)
    said = " ".join(capsys.readouterr().out.split())
    assert "learned from 5 bills of this machine: 2.2 without prefetch, 13.0 with prefetch" in said
    _print_plan(plan, words=False)
    assert "learned from 5 bills of this machine: 2.2" in " ".join(capsys.readouterr().out.split())
    _print_plan(replace(plan, learned=None), words=True)
    assert "learned" not in capsys.readouterr().out


def test_a_budget_is_one_line_and_nothing_is_sent(qvlm, ledger):
    found = qvlm("submit", "run", *MACHINE, *STORE, "--budget-executions", "10", "--json")
    assert (found.status, found.out) == (2, "")
    progress, line = found.err.splitlines()
    assert "rehearsal" in progress
    assert line.startswith("qvlm: the run needs about ")
    assert line.endswith("nothing was sent")
    assert (ledger().count_jobs(), list_runs(ledger())) == (0, [])


def test_metrics_are_printed_with_their_intervals(qvlm):
    words = ("--metric", "exact-match,rouge-l", "--caption-tokenizer", "port")
    found = qvlm("submit", "run", *MACHINE, *STORE, *words, "--max-new-tokens", "2")
    assert found.status == 0, found.err
    assert widest("\n".join(line for line in found.out.splitlines() if "│" in line)) <= 80
    assert "the same 2 questions" in found.out
    rows = [row for row in cells(found.out) if row[0] == "ROUGE-L"]
    assert rows[0][-1].count("–") == 1
    assert "this package's port" in found.out
