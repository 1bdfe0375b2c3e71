r"""Three problems with constraints, as QUBOs with penalties, with what checks and repairs answers.

- ``independent-set``: most nodes of a random graph without two neighbours;
  :math:`-\sum x_i + 2 \sum_{edges} x_i x_j`.
- ``knapsack``: most value within a capacity;
  :math:`-\sum v_i x_i + A (\sum w_i x_i + \sum 2^k s_k - C)^2` with slack bits s and A the
  largest value plus one.
- ``assignment``: each worker one task at the least cost;
  :math:`\sum c_{ij} x_{ij} + A \sum (1 - \sum x)^2` over rows and columns, A the largest cost plus
  one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rustworkx as rx

from qvlm_qiskit.quantum.ising import Bits, Ising, all_bits

Ints = npt.NDArray[np.int64]


class Problem(ABC):
    """A problem whose answers are some of the bits of its QUBO."""

    @abstractmethod
    def ising(self) -> Ising:
        """The QUBO as an Ising model."""

    @property
    @abstractmethod
    def answers(self) -> int:
        """How many bits are the answer; slack bits follow them."""

    @abstractmethod
    def feasible(self, bits: Bits) -> bool:
        """Whether an answer keeps all constraints."""

    @abstractmethod
    def value(self, bits: Bits) -> float:
        """What an answer is worth; more is better."""

    @abstractmethod
    def allows(self, partial: Mapping[int, int]) -> bool:
        """Whether some of an answer's bits break a constraint by themselves."""

    @abstractmethod
    def repaired(self, bits: Bits) -> Bits:
        """A feasible answer near another one, by a greedy rule, with nothing left to add."""

    def greedy(self) -> Bits:
        """What the same rule makes of nothing."""
        return self.repaired(np.zeros(self.answers, dtype=np.int8))

    def best(self) -> float:
        """The largest value of a feasible answer, by trying all."""
        every = all_bits(self.answers)
        return max(self.value(bits) for bits in every if self.feasible(bits))

    def ratio(self, value: float, best: float) -> float:
        """A value as a share of the best one, from 0 to 1."""
        return value / best if best > 0 else best / value


@dataclass(frozen=True)
class IndependentSet(Problem):
    """Nodes of a graph.

    Attributes:
        graph: With nodes 0, 1, …
    """

    graph: rx.PyGraph[int, None]

    @property
    def answers(self) -> int:
        """One bit a node."""
        return int(self.graph.num_nodes())

    def ising(self) -> Ising:
        """Every node counts 1, every edge inside the set costs 2."""
        matrix = -np.eye(self.answers)
        for i, j in self.graph.edge_list():
            matrix[min(i, j), max(i, j)] = 2.0
        return Ising.from_qubo(matrix)

    def feasible(self, bits: Bits) -> bool:
        """No edge inside the set."""
        return not any(bits[i] and bits[j] for i, j in self.graph.edge_list())

    def value(self, bits: Bits) -> float:
        """How many nodes."""
        return float(bits.sum())

    def allows(self, partial: Mapping[int, int]) -> bool:
        """No edge between chosen nodes."""
        chosen = [node for node, bit in partial.items() if bit]
        return not self.graph.subgraph(chosen).num_edges()

    def repaired(self, bits: Bits) -> Bits:
        """Nodes with most neighbours in the set leave it; then free ones of least degree come."""
        chosen = {int(node) for node in np.flatnonzero(bits)}
        degree = [self.graph.degree(node) for node in range(self.answers)]
        while not self.allows(dict.fromkeys(chosen, 1)):
            chosen.remove(max(chosen, key=lambda one: (self._inside(one, chosen), degree[one])))
        for node in sorted(range(self.answers), key=degree.__getitem__):
            if node not in chosen and not self._inside(node, chosen):
                chosen.add(node)
        return np.array([node in chosen for node in range(self.answers)], dtype=np.int8)

    def _inside(self, node: int, chosen: set[int]) -> int:
        return len(chosen & set(self.graph.neighbors(node)))


@dataclass(frozen=True)
class Knapsack(Problem):
    """Items of a knapsack.

    Attributes:
        values: Of the items.
        weights: Likewise.
        capacity: What their weights may add up to.
    """

    values: Ints
    weights: Ints
    capacity: int

    @property
    def answers(self) -> int:
        """One bit an item."""
        return len(self.values)

    def ising(self) -> Ising:
        """Items and slack bits; slack that ends above the capacity is cut to it."""
        slack = [2**k for k in range(self.capacity.bit_length())]
        slack[-1] = self.capacity - sum(slack[:-1])
        loads = np.array([*self.weights, *slack], dtype=float)
        penalty = float(self.values.max() + 1)
        matrix = penalty * np.outer(loads, loads)
        matrix += np.diag(-2 * penalty * self.capacity * loads)
        matrix[: self.answers, : self.answers] -= np.diag(self.values)
        return Ising.from_qubo(matrix, penalty * self.capacity**2)

    def feasible(self, bits: Bits) -> bool:
        """The weight is within the capacity."""
        return int(bits @ self.weights) <= self.capacity

    def value(self, bits: Bits) -> float:
        """The sum of values."""
        return float(bits @ self.values)

    def allows(self, partial: Mapping[int, int]) -> bool:
        """The chosen items fit by themselves."""
        return sum(int(self.weights[i]) for i, bit in partial.items() if bit) <= self.capacity

    def repaired(self, bits: Bits) -> Bits:
        """Items of least value per weight leave until the rest fits; then the best come that do."""
        found = bits.copy()
        order = np.argsort(-self.values / self.weights, kind="stable")
        for item in order[::-1]:
            if not self.feasible(found):
                found[item] = 0
        for item in order:
            if not found[item] and found @ self.weights + self.weights[item] <= self.capacity:
                found[item] = 1
        return found


@dataclass(frozen=True)
class Assignment(Problem):
    """Workers and tasks.

    Attributes:
        costs: ``(workers, tasks)``, square and positive.
    """

    costs: Ints

    @property
    def answers(self) -> int:
        """One bit a pair, row by row."""
        return int(self.costs.size)

    def ising(self) -> Ising:
        """Costs, and a penalty for every row and column that has not one bit."""
        count = len(self.costs)
        penalty = float(self.costs.max() + 1)
        matrix = np.diag(self.costs.ravel().astype(float))
        index = np.arange(count * count).reshape(count, count)
        for line in (*index, *index.T):
            matrix[np.ix_(line, line)] += penalty * (np.ones((count, count)) - 2 * np.eye(count))
        return Ising.from_qubo(matrix, 2 * count * penalty)

    def feasible(self, bits: Bits) -> bool:
        """One bit in every row and column."""
        pairs = bits.reshape(self.costs.shape)
        return bool((pairs.sum(0) == 1).all() and (pairs.sum(1) == 1).all())

    def value(self, bits: Bits) -> float:
        """The costs, negative."""
        return -float(bits @ self.costs.ravel())

    def allows(self, partial: Mapping[int, int]) -> bool:
        """No row or column has two bits, or all of them zero."""
        count = len(self.costs)
        known = np.full(self.answers, -1)
        known[list(partial)] = list(partial.values())
        pairs = known.reshape(count, count)
        lines = [*pairs, *pairs.T]
        return all((line == 1).sum() <= 1 and (line == 0).sum() < count for line in lines)

    def repaired(self, bits: Bits) -> Bits:
        """The cheapest chosen pairs that agree stay; then the cheapest free pairs come."""
        found = np.zeros(self.costs.shape, dtype=np.int8)
        order = np.argsort(self.costs.ravel(), kind="stable")
        cheap = [divmod(int(place), len(self.costs)) for place in order]
        given = bits.reshape(self.costs.shape)
        for row, column in [p for p in cheap if given[p]] + cheap:
            if not found[row].any() and not found[:, column].any():
                found[row, column] = 1
        return found.ravel()


def make_problem(
    name: str, *, nodes: int, items: int, workers: int, rng: np.random.Generator
) -> Problem:
    """A random problem.

    Args:
        name: "independent-set" (edges with probability 0.4), "knapsack" (values 1 to 9, weights 1
            to 5, half of their sum the capacity) or "assignment" (costs 1 to 9).
        nodes: Of the graph.
        items: Of the knapsack.
        workers: Of the assignment.
        rng: What is random.
    """
    if name == "independent-set":
        return IndependentSet(rx.undirected_gnp_random_graph(nodes, 0.4, int(rng.integers(2**31))))
    if name == "knapsack":
        values, weights = rng.integers(1, 10, items), rng.integers(1, 6, items)
        return Knapsack(values, weights, max(int(weights.sum()) // 2, int(weights.min())))
    return Assignment(rng.integers(1, 10, (workers, workers)))
