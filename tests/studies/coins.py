"""A whole study, as another distribution may bring it: this file and an entry point."""

import random
from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.studies.grid_study import Option, Study
from qvlm_qiskit.studies.intervals import differences, means


@dataclass(frozen=True)
class Options:
    chances: Annotated[tuple[float, ...], Option("Chances of heads.")] = (0.5, 0.7)
    seeds: Annotated[int, Option("Seeds of every coin.")] = 3
    throws: Annotated[int, Option("Throws per seed.")] = 100


@dataclass(frozen=True)
class Coin:
    chance: float
    seed: int


class Coins(Study[Options, Coin]):
    """How often coins show heads, against a fair one."""

    name, options_type, grows = "coins", Options, frozenset({"chances", "seeds"})
    template = "{% for p in study.points %}<p>{{ p.chance }}: {{ p.heads | percent_interval }}</p>{% endfor %}"  # noqa: E501

    def cells(self):
        return [Coin(c, s) for c in self.options.chances for s in range(self.options.seeds)]

    def compute(self, cell):
        draw = random.Random(f"{cell.chance} {cell.seed}")
        heads = sum(draw.random() < cell.chance for _ in range(self.options.throws))
        return {"chance": cell.chance, "seed": cell.seed, "heads": heads / self.options.throws}

    def summarise(self, rows):
        against = differences(rows, ["chance"], ["heads"], {"chance": 0.5})
        return {"points": means(rows, ["chance"], ["heads"]), "differences": against}
