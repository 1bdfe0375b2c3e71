"""Which part may import which, read from the sources; and the public names."""

import ast
import importlib
import inspect
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import rustworkx as rx

ROOT = Path(__file__).parents[1]
PACKAGE = "qvlm_qiskit"
GIVEN = ("backends", "noise_models", "jobs")

# Two chains, which meet in inference, training, studies and cli only.
CHAINS = {
    "errors": set(),
    "basics": {"errors"},
    "recipes": {"errors", "basics"},
    "mitigations": {"errors", "basics"},
    "sampled_gradients": {"errors"},
    "noise_models": {"errors", "basics"},
    "backends": {"errors", "basics", "mitigations", "noise_models"},
    "jobs": {"errors", "basics", "noise_models", "backends"},
    "quantum": {"errors", "basics", "sampled_gradients"},
    "kernels": {"basics", "errors", "quantum"},
    "blocks": {"errors", "basics", "recipes", "quantum"},
    "model": {"errors", "basics", "recipes", "sampled_gradients", "quantum", "blocks"},
    "adapter": {"errors", "basics", "recipes", "sampled_gradients", "quantum", "blocks"},
    "data": {"errors", "basics", "recipes", "quantum", "blocks", "model"},
    "models": {"errors", "basics", "recipes", "quantum", "blocks", "model", "adapter", "data"},
    "runs": {"errors", "basics", "recipes", "model", "data", "models"},
    "profiling": {"errors", "basics", "recipes", "quantum", "blocks", "model", "data", "models"},
    "publishing": {"errors", "recipes", "runs"},
    "evaluation": {"errors", "basics", "recipes", "quantum", "blocks", "model", "data", "models"},
}  # fmt: skip
CHAINS["inference"] = {*CHAINS, "__version__"}
CHAINS["training"] = {*CHAINS, "__version__"}
CHAINS["studies"] = {*CHAINS, "__version__"} - {"studies"}
CHAINS["cli"] = {*CHAINS, "__version__"} - {"cli"}
CHAINS["__main__"] = {"cli"}
CHAINS["__init__"] = set(CHAINS) - {
    "adapter", "cli", "inference", "kernels", "profiling", "studies", "__main__",
}  # fmt: skip

# (part, imported part) → the files that may do so, inside a function only.
LAZY = {
    ("backends", "quantum"): {
        "backends/devices/aer.py", "backends/devices/statevector.py", "backends/devices/noisy.py",
        "backends/mitigation/near_clifford.py", "backends/preflight/rehearse.py",
    }
}  # fmt: skip

# Modules that import each other, by way of others too; every import counts. Each with its reason.
CYCLES: dict[frozenset[str], str] = {}


@dataclass(frozen=True)
class Import:
    """One import of a source file."""

    part: str
    file: str
    line: int
    name: str
    lazy: bool
    typing: bool

    def __str__(self):
        return f"{self.file}:{self.line} imports {self.name}"


@cache
def sources():
    """(part, path below the root, syntax tree) of every module; links are not followed."""
    return tuple(_sources())


def _sources():
    folders = [ROOT / PACKAGE, *(ROOT / name for name in GIVEN)]
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            below = path.relative_to(ROOT / PACKAGE if folder.name == PACKAGE else ROOT)
            if folder.name == PACKAGE and below.parts[0] in GIVEN:
                continue
            part = below.parts[0] if len(below.parts) > 1 else below.stem
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield part, str(path.relative_to(ROOT)), tree


def statements(tree, lazy=False, typing=False):
    """Every import statement below a node, whether in a function and whether for types only."""
    if isinstance(tree, ast.Import | ast.ImportFrom):
        yield tree, lazy, typing
    elif isinstance(tree, ast.stmt | ast.excepthandler | ast.match_case | ast.Module):
        lazy = lazy or isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(tree, ast.If):
            typing = typing or "TYPE_CHECKING" in ast.dump(tree.test)
        for child in ast.iter_child_nodes(tree):
            yield from statements(child, lazy, typing)


@cache
def imports():
    """Every import of every module."""
    return list(_imports())


def _imports():
    for part, file, tree in sources():
        for node, lazy, typing in statements(tree):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}:{node.lineno} is a relative import"
                names = [f"{node.module}.{name}" for name in names]
            for name in names:
                yield Import(part, file, node.lineno, name, lazy, typing)


def own(item):
    """The part that an import of this package names, None for an import of another one."""
    words = item.name.split(".")
    return words[1] if words[0] == PACKAGE else None


def test_the_sources_were_found():
    parts = {part for part, _, _ in sources()}
    assert parts == set(CHAINS), "a new part: say here what it may import"
    assert len(imports()) > 300
    assert len({file for _, file, _ in sources()}) > 50


@pytest.mark.parametrize("part", sorted(CHAINS))
def test_imports_run_one_way(part):
    wrong = [
        str(item)
        for item in imports()
        if item.part == part
        and own(item) not in (None, part)
        and own(item) not in CHAINS[part]
        and not (item.lazy and item.file in LAZY.get((part, own(item)), ()))
    ]
    assert not wrong


def test_the_parts_have_an_order():
    """No two parts may import each other, not even by way of others."""
    done, waiting = set(), dict(CHAINS)
    while waiting:
        ready = [part for part, needs in waiting.items() if needs - {"__version__"} <= done]
        assert ready, f"a circle among {sorted(waiting)}"
        for part in ready:
            del waiting[part]
        done |= set(ready)


def module_of(file):
    """The dotted name of a source file, below the package."""
    parts = Path(file).with_suffix("").parts
    parts = parts[1:] if parts[0] == PACKAGE else parts
    return ".".join(part for part in parts if part != "__init__")


def cycles():
    """Sets of modules that import each other: at the top, in functions and for types only."""
    known = {module_of(file) for _, file, _ in sources()}
    graph = rx.PyDiGraph()
    nodes = {name: graph.add_node(name) for name in known}
    for item in imports():
        if own(item):
            whole = item.name.removeprefix(f"{PACKAGE}.")
            wanted = whole if whole in known else whole.rpartition(".")[0]
            if wanted in known and wanted != module_of(item.file):
                graph.add_edge(nodes[module_of(item.file)], nodes[wanted], None)
    parts = rx.strongly_connected_components(graph)
    return {frozenset(graph[i] for i in part) for part in parts if len(part) > 1}


def test_no_modules_import_each_other():
    """Inside a part, too: whoever reads one module has to read no other one first, and back."""
    found = cycles()
    assert found - set(CYCLES) == set()
    assert set(CYCLES) - found == set(), "a circle that is cut needs no exception any more"
    assert all(CYCLES.values())


def test_the_exceptions_are_still_needed():
    found = {(item.part, own(item), item.file) for item in imports() if item.lazy}
    assert all((*pair, file) in found for pair, files in LAZY.items() for file in files)


def test_the_top_level_imports_its_parts_on_demand_only():
    top = [i for i in imports() if i.part == "__init__" and own(i) and not (i.lazy or i.typing)]
    eager = [i for i in top if i.name != "qvlm_qiskit.basics.lazy.lazy_names"]
    assert eager == []


def test_the_commands_import_the_work_on_demand_only():
    """The help is shown in a tenth of a second."""
    allowed = {"cli", "errors", "mitigations", "__version__"}
    text = ("qvlm_qiskit.basics.foreign_text.", "qvlm_qiskit.basics.terms.")
    text += ("qvlm_qiskit.basics.computer.processes.", "qvlm_qiskit.basics.counted.")
    eager = [i for i in imports() if i.part == "cli" and not (i.lazy or i.typing) and own(i)]
    heavy = [i for i in eager if own(i) not in allowed and not i.name.startswith(text)]
    assert [str(i) for i in heavy] == []


def test_only_one_module_imports_mitiq():
    found = [item for item in imports() if item.name.split(".")[0] == "mitiq"]
    assert {item.file for item in found} == {"backends/mitigation/mitiq_bridge.py"}
    assert all(item.lazy for item in found)


def test_the_engine_and_the_model_know_no_machine():
    machines = {"qiskit_aer", "qiskit_ibm_runtime"}
    parts = {"quantum", "blocks", "model", "data", "models", "evaluation", "training", "runs"}
    found = [i for i in imports() if i.part in parts and i.name.split(".")[0] in machines]
    assert [str(item) for item in found] == []


def test_nothing_is_pickled():
    forbidden = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    assert [str(i) for i in imports() if i.name.split(".")[0] in forbidden] == []
    for _, file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), file
                assert node.value.value is False, file


def test_only_the_command_line_prints():
    for part, file, tree in sources():
        calls = [n.func for n in ast.walk(tree) if isinstance(n, ast.Call)]
        printing = [c for c in calls if isinstance(c, ast.Name) and c.id == "print"]
        assert part == "cli" or not printing, file
        # `common.say` writes a line in the terminal's own letters; typer sends UTF-8 in any case
        echoes = [c for c in calls if isinstance(c, ast.Attribute) and c.attr in ("echo", "secho")]
        assert not echoes, file


def test_no_error_is_swallowed():
    for _, file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{file}:{node.lineno} has a bare except"
                silent = all(isinstance(step, ast.Pass) for step in node.body)
                broad = isinstance(node.type, ast.Name) and "Exception" in node.type.id
                assert not (silent and broad), f"{file}:{node.lineno}"


def loaded_after(statement, names):
    """Which of some modules are loaded after a statement in a fresh interpreter."""
    script = f"{statement}\nimport sys\nprint([n for n in {names!r} if n in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return ast.literal_eval(found.stdout)


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["torch", "transformers", "qiskit", "qiskit_aer", "numpy", "sklearn", "rich", "typer"]
    assert loaded_after("import qvlm_qiskit; qvlm_qiskit.__version__", heavy) == []


def test_opening_a_backend_needs_no_model():
    statement = (
        "from qvlm_qiskit import open_backend, list_backends\nopen_backend('aer'); list_backends()"
    )
    unneeded = ["torch", "transformers", "mitiq", "matplotlib", "qvlm_qiskit.quantum"]
    assert loaded_after(statement, unneeded) == []


def test_reading_a_ledger_needs_no_model():
    statement = (
        "import qvlm_qiskit.inference.export, qvlm_qiskit.jobs.verify, qvlm_qiskit.jobs.ledger.runs"
    )
    assert loaded_after(statement, ["torch", "transformers", "mitiq", "matplotlib"]) == []


PUBLIC = {
    "qvlm_qiskit": [
        "HybridVLM", "HybridVLMConfig", "HybridVLMProcessor", "open_backend",
        "Backend", "list_backends", "QuantumLayer", "TorchEstimator", "__version__",
    ],
    "qvlm_qiskit.quantum": ["QuantumLayer", "TorchEstimator"],
    "qvlm_qiskit.backends": ["open_backend", "list_backends", "Backend"],
    "qvlm_qiskit.model": ["HybridVLM", "HybridVLMConfig", "HybridVLMProcessor"],
    "qvlm_qiskit.cli": ["main"],
}  # fmt: skip
PACKAGES = [
    "backends", "blocks", "cli", "data", "evaluation", "inference", "jobs", "kernels", "model",
    "models", "noise_models", "quantum", "studies", "training",
]  # fmt: skip


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_the_public_names_are_where_they_are_said_to_be(module):
    home = importlib.import_module(module)
    for name in PUBLIC[module]:
        assert getattr(home, name) is not None
        assert name in home.__all__


@pytest.mark.parametrize("package", ["", *PACKAGES])
def test_every_exported_name_exists_once(package):
    module = importlib.import_module(f"{PACKAGE}.{package}".rstrip("."))
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name), name


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    import qvlm_qiskit

    with pytest.raises(AttributeError, match="HybridVML"):
        qvlm_qiskit.HybridVML  # noqa: B018


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_the_public_functions_take_what_they_are_said_to_take():
    from qvlm_qiskit import HybridVLM, HybridVLMConfig, QuantumLayer, TorchEstimator, open_backend
    from qvlm_qiskit.backends import Backend

    options = {"shots", "precision", "mitigation", "seed", "optimization_level"}
    assert options <= set(parameters(open_backend))
    assert {"device", "dtype", "seed"} <= set(parameters(TorchEstimator))
    assert parameters(HybridVLMConfig.recipe)[0] == "name"
    for owner, names in {
        Backend: ("estimator", "compile", "describe"),
        HybridVLM: ("from_pretrained", "save_pretrained", "generate", "run_on"),
        QuantumLayer: ("run_on",),
    }.items():
        assert all(callable(getattr(owner, name)) for name in names)


@pytest.mark.parametrize("recipe", ["tiny", "small", "paper"])
def test_the_recipes_have_their_names(recipe):
    from qvlm_qiskit import HybridVLMConfig

    assert HybridVLMConfig.recipe(recipe).model_type == "hybrid_vlm"
