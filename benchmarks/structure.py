"""Measure how findable the sources are: folders, import cycles, wide modules, long signatures.

    python benchmarks/structure.py [ROOT]

Reads the sources only. A cycle is a strongly connected set of modules, where every import counts:
at the top, inside functions and under TYPE_CHECKING. An import of a package counts as one of its
``__init__``. The Numba kernels have long signatures by their nature and are counted apart.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import rustworkx as rx

PACKAGE = "qvlm_qiskit"
GIVEN = ("backends", "noise_models", "jobs")
KERNEL_IMPORTS = (
    "numba",
    f"{PACKAGE}.quantum.kernels",
    f"{PACKAGE}.quantum.statevector.cpu.kernels",
)


def modules(root: Path) -> dict[str, Path]:
    """Dotted name → file of every module of the package; links are not followed."""
    found = {}
    for top in (PACKAGE, *GIVEN):
        for path in sorted((root / top).rglob("*.py")):
            below = path.relative_to(root)
            if top == PACKAGE and len(below.parts) > 2 and below.parts[1] in GIVEN:
                continue
            parts = below.with_suffix("").parts
            parts = parts if top == PACKAGE else (PACKAGE, *parts)
            found[".".join(p for p in parts if p != "__init__")] = path
    return found


def own_imports(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """The package's own modules that a module names in any import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [
                f"{node.module}.{alias.name}"
                if f"{node.module}.{alias.name}" in known
                else node.module
                for alias in node.names
            ]
        else:
            continue
        yield from (name for name in names if name in known)


def cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules that import each other, by way of others too."""
    graph: rx.PyDiGraph[str, None] = rx.PyDiGraph()
    nodes = {name: graph.add_node(name) for name in imports}
    for name, wanted in imports.items():
        graph.add_edges_from_no_data([(nodes[name], nodes[other]) for other in wanted])
    found = rx.strongly_connected_components(graph)
    return [sorted(graph[i] for i in part) for part in found if len(part) > 1]


def is_kernel(tree: ast.AST) -> bool:
    """Whether a module holds compiled kernels."""
    named = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    return bool(named & set(KERNEL_IMPORTS))


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Number of parameters of a function, self and cls apart."""
    args = node.args
    names = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def main() -> None:
    """Print the table."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()
    files = modules(root)
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in files.items()}
    known = set(files)
    imports = {name: set(own_imports(tree, known)) - {name} for name, tree in trees.items()}
    folders = Counter(
        path.parent.relative_to(root) for path in files.values() if path.name != "__init__.py"
    )
    fullest, count = folders.most_common(1)[0]
    wide = [
        name for name, used in imports.items() if len(used) > 10 and not is_package(files[name])
    ]
    long = [
        f"{name}.{node.name} ({parameters(node)})"
        for name, tree in trees.items()
        if not is_kernel(tree)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters(node) > 5
    ]
    tested = {path.stem.removeprefix("test_") for path in (root / "tests").rglob("test_*.py")}
    named = [name for name in files if not is_package(files[name])]
    own_test = [name for name in named if name.rpartition(".")[2] in tested]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files.values())
    found = cycles(imports)
    print(f"modules                                  {len(named)}")
    print(f"lines                                    {lines:,}")
    print(f"files in the fullest folder              {count} ({fullest})")
    print(f"import cycles                            {len(found)}")
    print(f"modules with more than ten own imports   {len(wide)}")
    print(f"functions with more than five parameters {len(long)}")
    print(f"modules with a test of their name        {len(own_test) / len(named):.0%}")
    for title, rows in (
        ("cycles", [" ↔ ".join(part) for part in found]),
        ("wide modules", wide),
        ("long signatures", long),
        ("without a test of their name", sorted(set(named) - set(own_test))),
    ):
        print(f"\n{title}:", *rows, sep="\n  ")


def is_package(path: Path) -> bool:
    """Whether a file is a package's own, which re-exports names."""
    return path.name == "__init__.py"


if __name__ == "__main__":
    main()
