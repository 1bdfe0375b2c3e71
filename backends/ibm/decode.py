"""Raw results of IBM Runtime → values, by the client's own decoders and without any service.

The client applies a chain of decoders to the text that the server sent; what is left to do for
twirling, TREX and ZNE happens there. The same chain on the stored bytes gives the same values bit
for bit, as long as the same version of the client is installed.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit_ibm_runtime.decoders.defaults import DEFAULT_DECODERS

from qvlm_qiskit.backends.devices.runtime import runtime_technique
from qvlm_qiskit.backends.ibm.result_shapes import check_shapes
from qvlm_qiskit.backends.pubs.answer import DamagedResultError, PubAnswer, checked, plain
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.pubs.shots import shots_of_precision
from qvlm_qiskit.basics.sizes import TooLargeError, check_size, most_bytes

EXECUTOR = "runtime-executor-1"
_PACKED = ("eA", "eF", "eJ", "eN")  # how zlib's headers begin in base64
_PART_BYTES = 2**20
LEGACY = "runtime-estimator-1"


def decode_executor(raw: bytes, package: Package) -> list[PubAnswer]:
    """The answers in a result of the client-side estimator, whose jobs run the program "executor".

    Args:
        raw: What the server sent.
        package: What was asked; its `about` holds the resilience level and further options.

    Raises:
        DamagedResultError: The bytes are cut off, changed, or answer something else.
    """

    def check(content: Any) -> None:
        _check_tags(content, package.tag)
        check_shapes(content)

    return _decoded(raw, package, DEFAULT_DECODERS["executor"], check)


def decode_legacy(raw: bytes, package: Package) -> list[PubAnswer]:
    """The answers in a result of `EstimatorV2`, whose jobs run the program "estimator".

    Args:
        raw: What the server sent.
        package: What was asked; its `about` holds the resilience level and further options.

    Raises:
        DamagedResultError: The bytes are cut off, changed, or answer something else.
    """
    return _decoded(raw, package, DEFAULT_DECODERS["estimator"])


def _decoded(
    raw: bytes,
    package: Package,
    decoders: Sequence[Any],
    check: Callable[[Any], None] = lambda content: None,
) -> list[PubAnswer]:
    technique = runtime_technique(int(package.about.get("resilience_level", 0)), package.about)
    try:
        result: Any = raw.decode("utf-8")
        content = json.loads(result)
        check_size("a Runtime result", sum(map(_unpacked_bytes, _texts(content))))
        check(content)
        for decoder in decoders:
            if decoder.is_applicable(result):
                result = decoder.decode(result)
        results = list(result)
        if len(results) != len(package.pubs):
            raise ValueError(f"{len(results)} results for {len(package.pubs)} pubs")
        answers = [
            _answer(one, pub, technique) for one, pub in zip(results, package.pubs, strict=True)
        ]
    except TooLargeError:
        raise
    except Exception as ex:
        # The decoders check little: damaged input makes them fail in any way whatever.
        reason = " ".join(str(ex).split())[:200]
        raise DamagedResultError(
            f"a Runtime result of {len(raw):,} bytes can't be read ({type(ex).__name__}: {reason})"
        ) from ex
    return checked(answers, package)


def _check_tags(content: Any, tag: str | None) -> None:
    """Refuse the result of another job: the client lets the server repeat what was asked."""
    passed = content.get("passthrough_data") or {}
    options = (passed.get("post_processor") or {}).get("options") or {}
    tags = (options.get("environment") or {}).get("job_tags") or []
    if tag is not None and tag not in tags:
        raise ValueError(f"the result of a job with the tags {tags}, not {tag}")


def _texts(content: Any) -> Iterator[str]:
    """All texts in JSON, at any depth."""
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _unpacked_bytes(text: str) -> int:
    """How much zlib data in base64 unpacks to, as far as it is read; 0 for other texts."""
    if not text.startswith(_PACKED):
        return 0
    unpack, size, rest = zlib.decompressobj(), 0, base64.b64decode(text)
    most = most_bytes()
    while rest and size <= most:
        size += len(unpack.decompress(rest, _PART_BYTES))
        rest = unpack.unconsumed_tail
    return size


def _answer(result: Any, pub: EstimatorPub, technique: str) -> PubAnswer:
    """One pub's values, with the keys in their metadata that every device of this platform has."""
    evs = np.asarray(result.data.evs, dtype=np.float64)
    stds = np.asarray(result.data.stds, dtype=np.float64)
    if not np.isfinite(evs).all():
        raise ValueError("expectation values that are not finite")
    # An extrapolation can be without an error estimate (NaN); a negative one is damage.
    if (stds < 0).any():
        raise ValueError("negative standard errors")
    metadata = {
        **plain(dict(result.metadata)),
        "technique": technique,
        "target_precision": pub.precision,
        "shots": shots_of_precision(pub.precision),
    }
    return PubAnswer(evs, stds, metadata)
