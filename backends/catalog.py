"""Names → backends: `open_backend`, `list_backends`, and how third parties add their own.

A distribution adds a backend by an entry point in the group `ENTRY_POINT_GROUP`. Its name is the
backend's name, or a prefix that ends in ":" or "_"; its object is an `Opener`, which takes the full
name and the `BackendOptions`, refuses options that it doesn't take (`BackendOptions.only`), and
returns a `Backend`. This package's own names can't be replaced. docs/backends.md has an example.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, cast

from qvlm_qiskit.backends.compilation.tile_rule import DEFAULT_FACTOR, DEFAULT_SPACING, Count
from qvlm_qiskit.backends.mitigation.names import combined, mitigation_name, parse_mitigation
from qvlm_qiskit.backends.mitigation.step import Step
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.table import OWN, BackendRow
from qvlm_qiskit.basics.numbers import plain_number
from qvlm_qiskit.basics.registry import Registry, entry_points, entry_points_on
from qvlm_qiskit.errors import BackendError, InputError, UnknownNameError

if TYPE_CHECKING:
    from qiskit.providers import BackendV2
    from qiskit_aer.noise import NoiseModel

    from qvlm_qiskit.backends.backend import Backend, Kind
    from qvlm_qiskit.noise_models import NoiseSpec

ENTRY_POINT_GROUP = "qvlm_qiskit.backends"
DEVICES = "qvlm_qiskit.backends.devices"
SHARED = (
    "fake_devices", "fake_files", "noise_by_name", "noisy_estimator", "objects", "packed",
    "programs", "runtime", "runtime_plans", "sampling",
)  # fmt: skip
"""Files of `devices` that open nothing."""
FILES: Registry[object] = Registry(
    "backend",
    ENTRY_POINT_GROUP,
    "backends/devices",
    besides={*SHARED, *(own.module for own in OWN.values())},
)
"""Files of `devices` beside those in `table`: each opens the backend of its name."""

Opener = Callable[[str, BackendOptions], "Backend"]


@dataclass(frozen=True)
class _Entry:
    opener: Opener
    rows: Callable[[], Iterable[BackendRow]]


_registry: dict[str, _Entry] = {}


def register(
    key: str,
    *,
    kind: Kind | None = None,
    what: str = "",
    rows: Callable[[], Iterable[BackendRow]] | None = None,
) -> Callable[[Opener], Opener]:
    """Decorator: enter an opener under a name, or under a prefix that ends in ":" or "_".

    Args:
        key: The name ("aer") or the prefix ("noisy:").
        kind: The kind of the backends that it opens.
        what: A phrase for the table; this package's own backends are in `table` already.
        rows: Lists the names behind a prefix, cheaply; one row with the key when not given.

    Raises:
        InputError: The key is taken.
    """

    def enter(opener: Opener) -> Opener:
        if key in _registry or (key in OWN and opener.__module__ != _module_of(key)):
            raise InputError(f"the backend name {key!r} is registered already")
        single = [BackendRow(key, kind or "unknown", None, what)]
        _registry[key] = _Entry(opener, OWN[key].rows if key in OWN else rows or (lambda: single))
        return opener

    return enter


def check_backend(name: str, options: BackendOptions | None = None) -> None:
    """Refuse what can be refused without opening anything; Qiskit is not imported.

    Third parties' backends are known by name only: their options are refused when they are opened.

    Args:
        name: As `open_backend` takes it.
        options: What is asked of it.

    Raises:
        UnknownNameError: No such backend; the message names the nearest.
        InputError: It doesn't take one of the options, or the method.
        NoiseModelError: A noise formula that can't be read.
    """
    key = _key(name)
    if key in OWN:
        if options is not None:
            options.only_options(name, OWN[key].accepted)
            _check_method(name, options.method, OWN[key].methods)
        OWN[key].check(name)


def _check_method(name: str, method: str, known: Sequence[str]) -> None:
    if method not in known:
        raise InputError(f"method is {method!r}; backend {name!r} takes {', '.join(known)}")


def open_backend(
    name: str | BackendV2 | NoiseModel | None = None,
    *,
    noise_model: NoiseModel | NoiseSpec | None = None,
    shots: int | None = None,
    precision: float | None = None,
    mitigation: str | Step | Sequence[Step] = "none",
    budget: int | None = None,
    seed: int | None = None,
    optimization_level: int = 2,
    layout_trials: int | None = None,
    noise_scale: float = 1.0,
    error_kinds: str = "all",
    device: str | None = None,
    dtype: str | None = None,
    method: str = "auto",
    max_age_days: float | None = None,
    max_bond_dimension: int | None = None,
    truncation_threshold: float | None = None,
    max_terms: int | None = None,
    tiles: int | str = "none",
    tile_factor: float = DEFAULT_FACTOR,
    tile_spacing: int = DEFAULT_SPACING,
    tile_repeats: int = 0,
    fractional: bool = False,
) -> Backend:
    """Open a machine by name.

    | name | what runs |
    |---|---|
    | ``statevector`` | this package's torch engine, exact |
    | ``aer``, ``aer-gpu`` | Aer statevectors, exact; real shots with `shots` or `precision` |
    | ``pauli-propagation`` | Pauli strings moved through wide circuits, with bounds |
    | ``fake_torino``, … | the unmodified Runtime client in local mode on a fake device |
    | ``noisy:fake_torino``, … | density matrices, or shots on Aer, with that device's calibration |
    | ``noisy:depolarizing(0.01)``, ``noisy:thermal(t1_us=100,t2_us=80)``, … | with a formula |
    | ``noisy:path/to/noise.json`` | with what ``qvlm noise save`` wrote |
    | ``noisy:fake_torino+zz(0.02)``, … | with formulas on top; see `open_noise` |
    | ``ibm:ibm_kingston``, ``ibm:least_busy`` | IBM hardware of the saved account |

    Args:
        name: One of `list_backends()`, or a third party's entry point in the group
            ``qvlm_qiskit.backends``; or an object: any `BackendV2` (IBM's, a fake or generic one,
            Aer's, another maker's), or any `NoiseModel` of Aer.
        noise_model: In place of a name, a noise to simulate as ``noisy:…`` does, with all its
            options: Aer's `NoiseModel`, where a description can say all of it (docs/noise-models.md
            has what can be read), or a `NoiseSpec`.
        shots: Shots per measured circuit.
        precision: Target standard error instead of shots; 0 asks a noisy:* backend for exact
            values, which can be differentiated.
        mitigation: Techniques joined by "+", with parameters in parentheses:
            "readout+zne(scales=1,3,5,factory=exp)"; or `Step` objects, "none" for none. Their names
            are in `backends.MITIGATIONS`, what a backend offers in `Backend.mitigations`, and what
            each does in docs/mitigation.md.
        budget: Executions that "auto" may take to choose, per circuit.
        seed: Makes simulation and compilation repeatable: equal pubs then give equal samples,
            different pubs independent ones.
        optimization_level: The transpiler's, 0 to 3.
        layout_trials: So many transpiler seeds are tried, and the compilation with the highest
            estimated success probability is taken; by default 4, or 1 for very large circuits.
        noise_scale: Factor on the strength of the noise (noisy:* only); 0 is noise-free.
        error_kinds: Kinds of error that act (noisy:* only): "all", or some of "readout",
            "one-qubit", "two-qubit", "relaxation" and "crosstalk", joined by "+". Circuits are
            compiled for the device with all its errors, whatever is kept.
        device: Torch device (statevector, noisy:*); "cpu", "gpu" or "auto" (aer). With "auto" a CPU
            run instead of a GPU one is said by a `FallbackWarning` and in the description.
        dtype: Torch dtype (statevector; noisy:*, where it is complex128 by default).
        method: How noisy:* simulates: "density" is this package's engine, "aer" shots on Aer,
            "auto" the engine for exact values and up to 10 active qubits, and Aer beyond. How aer
            does: "statevector", or "matrix_product_state" for wide circuits of little entanglement.
        max_age_days: Refuse a calibration that is older (noisy:* only).
        max_bond_dimension: What a matrix product state is cut off at: so many Schmidt coefficients
            are kept (aer only).
        truncation_threshold: Coefficients whose squares sum up to less are dropped from it (aer;
            Aer's own is 1e-16), or Pauli strings with smaller coefficients (pauli-propagation).
        max_terms: So many Pauli strings are kept (pauli-propagation only).
        tiles: On how many places of the device rows of a circuit run at once, one execution for
            all: a number, "auto" (as many as are nearly as good as the best one), or "none".
        tile_factor: With "auto", the largest ratio of a tile's estimated error to the best one's.
        tile_spacing: The fewest idle qubits between two tiles; 0 lets them touch.
        tile_repeats: Rows of every call and circuit that are asked on all tiles that it uses; what
            values differ by between tiles is added to their standard errors.
        fractional: Use rx and rzz gates of any angle, where the machine has them.

    Raises:
        UnknownNameError: No such backend; the message names the nearest.
        NoiseModelError: A noise that is unphysical, unreadable or too old.
        InputError: A value out of range, both shots and precision, or an option that this
            backend doesn't take.
        MitigationError: A mitigation that is unknown or not offered there.
        BackendError: The backend can't be opened (its subclasses say why).
    """
    one = "open_backend takes a backend's name, or noise_model=, and not both"
    if (name is None) == (noise_model is None):
        raise InputError(one)
    if isinstance(name, str):
        check_backend(name)
    options = BackendOptions(
        shots=shots,
        precision=precision,
        mitigation=_mitigation(mitigation, budget),
        seed=seed,
        optimization_level=optimization_level,
        layout_trials=layout_trials,
        noise_scale=noise_scale,
        error_kinds=error_kinds,
        device=device,
        dtype=dtype,
        method=method,
        max_age_days=max_age_days,
        max_bond_dimension=max_bond_dimension,
        truncation_threshold=truncation_threshold,
        max_terms=max_terms,
        tiles=cast(Count, tiles),
        tile_factor=tile_factor,
        tile_spacing=tile_spacing,
        tile_repeats=tile_repeats,
        fractional=fractional,
    )
    if noise_model is not None:
        return _open_noise_model(noise_model, options)
    if name is None:
        raise InputError(one)
    if not isinstance(name, str):
        return _open_object(name, options)
    return _open_named(name, options)


def _open_named(name: str, options: BackendOptions) -> Backend:
    check_backend(name, options)
    from qvlm_qiskit.backends.backend import Backend

    opener = _find_opener(name)
    opened = opener(name, options)
    if not isinstance(opened, Backend):
        raise BackendError(
            f"the opener of backend {name!r} returned {type(opened).__name__}, not a Backend"
        )
    # A machine that knows better how to open itself again (the same of several) has said so.
    reopen = opened.reopen or partial(opener, name)
    return replace(opened, reopen=reopen, origin=partial(_open_again, opened.name))


def _open_object(given: BackendV2 | NoiseModel, options: BackendOptions) -> Backend:
    opened: Backend = import_module(f"{DEVICES}.objects").open_object(given, options)
    again = partial(_open_object, given)
    # an IBM machine holds a key, which does not go to another process
    origin = partial(_open_again, opened.name) if opened.kind == "hardware" else again
    return replace(opened, reopen=opened.reopen or again, origin=origin)


def _open_noise_model(given: NoiseModel | NoiseSpec, options: BackendOptions) -> Backend:
    _check_method("noisy:", options.method, OWN["noisy:"].methods)
    opened: Backend = import_module(f"{DEVICES}.noisy").open_noise_model(given, options)
    again = partial(_open_noise_model, given)
    return replace(opened, reopen=again, origin=again)


def _open_again(name: str, options: BackendOptions) -> Backend:
    """The backend of a name, in a process that has opened none."""
    return open_backend(name, **{f.name: getattr(options, f.name) for f in fields(options)})


def _mitigation(given: str | Step | Sequence[Step], budget: int | None) -> str:
    """The canonical name, with the budget put into "auto"."""
    if isinstance(given, str):
        steps: tuple[Step, ...] = parse_mitigation(given)
    else:
        steps = combined([given] if isinstance(given, Step) else given)
    if budget is None:
        return mitigation_name(steps)
    chosen: Any = steps[0]
    if chosen.name != "auto":
        raise InputError(f"budget= is for mitigation='auto', not for {mitigation_name(steps)!r}")
    return str(replace(chosen, budget=plain_number(budget)))


def list_backends() -> list[BackendRow]:
    """The backends that can be opened by name, without opening any.

    Third parties' entry points are imported; one that fails is listed with what is wrong with it.
    """
    listed = [row for own in OWN.values() for row in own.rows()]
    for module in FILES.own.values():
        import_module(module)
    others = [entry for key, entry in _registry.items() if key not in OWN]
    listed += [row for entry in others for row in entry.rows()]
    for point in _entry_points():
        kind, what = "third party", f"from {point.value}"
        if point.name in OWN or point.name in _registry:
            kind, what = "broken", f"{what}: the name is taken by this package"
        else:
            try:
                _load(point)
            except BackendError as ex:
                kind, what = "broken", str(ex)
        listed.append(BackendRow(point.name, kind, None, what))
    return listed


def _find_opener(name: str) -> Opener:
    key = _key(name)
    if key in OWN:
        import_module(_module_of(key))
    elif key in FILES.own:
        import_module(FILES.own[key])
    if key in _registry:
        return _registry[key].opener
    return _load(next(point for point in _entry_points() if point.name == key))


def _key(name: str) -> str:
    """The known name, or the longest known prefix of it."""
    if not isinstance(name, str):
        raise InputError(f"a backend is opened by its name, not by {type(name).__name__}")
    keys = [*OWN, *FILES.own, *_registry, *(point.name for point in _entry_points())]
    if name in keys:
        return name
    prefixes = [key for key in keys if key[-1:] in (":", "_") and name.startswith(key)]
    if not prefixes:
        own = [row.name for entry in OWN.values() for row in entry.rows()]
        raise UnknownNameError("backend", name, [*own, *(key for key in keys if key not in OWN)])
    return max(prefixes, key=len)


def _module_of(key: str) -> str:
    return f"{DEVICES}.{OWN[key].module}"


def _entry_points() -> list[EntryPoint]:
    return list(entry_points_on(tuple(sys.path), ENTRY_POINT_GROUP, entry_points))


def _load(point: EntryPoint) -> Opener:
    try:
        opener: Opener = point.load()
    except Exception as ex:
        # A foreign package may raise anything on import; whoever asked is told which one did.
        raise BackendError(
            f"the backend {point.name!r} ({point.value}) can't be loaded: {ex}"
        ) from ex
    if not callable(opener):
        raise BackendError(f"the backend {point.name!r} ({point.value}) is not callable")
    return opener
