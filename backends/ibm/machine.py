"""A machine of the saved account, by its name."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from qiskit_ibm_runtime.exceptions import (
    IBMAccountError,
    IBMInputValueError,
    IBMNotAuthorizedError,
)

from qvlm_qiskit.backends.ibm.account import open_service
from qvlm_qiskit.backends.ibm.lookups import guarded
from qvlm_qiskit.backends.ibm.transport import UnsafeAddressError
from qvlm_qiskit.errors import BackendError, CredentialsError, InputError


def fetch_machine(name: str, *, fractional: bool = False) -> Any:
    """The machine of that name, or "least_busy", from the saved account.

    Args:
        name: Its name there.
        fractional: With its gates of any angle; the service leaves them out otherwise.

    Raises:
        CredentialsError: No usable account.
        UnsafeAddressError: The account's key or tokens would travel to another address than IBM's.
        BackendError: The service doesn't answer, or has no such machine.
        InputError: It has no gates of any angle.
    """
    if name == "best":
        raise InputError(
            "ibm:best chooses a machine for a model's circuits: name one here, or ibm:least_busy"
        )
    service = _service()
    try:
        with guarded():
            if name == "least_busy":
                return service.least_busy(use_fractional_gates=fractional)
            return service.backend(name, use_fractional_gates=fractional)
    except IBMInputValueError as ex:
        if "fractional" not in str(ex):
            raise BackendError(f"IBM Quantum refused the name {name!r}") from None
        raise InputError(f"ibm:{name} has no fractional gates: leave out fractional") from None
    except Exception as ex:
        raise BackendError(
            f"can't open the IBM machine {name!r} ({type(ex).__name__}): it does not exist, is not "
            "open to this account, or IBM Quantum did not answer"
        ) from None


def online_machines(*, fractional: bool = False) -> list[tuple[Any, int | None]]:
    """All machines of the saved account that take jobs, and how many wait there.

    Args:
        fractional: With their gates of any angle.

    Raises:
        CredentialsError: No usable account.
        UnsafeAddressError: The account's key or tokens would travel to another address than IBM's.
        BackendError: The service doesn't answer.
    """
    service = _service()
    try:
        with guarded():
            # None also gives the machines that have no such gates
            gates = None if fractional else False
            found = service.backends(simulator=False, use_fractional_gates=gates)
            states = [(machine, machine.status()) for machine in found]
    except Exception as ex:
        raise BackendError(
            f"IBM Quantum did not list its machines ({type(ex).__name__}): try again, or name one"
        ) from None
    return [(machine, _waiting(state)) for machine, state in states if state.operational]


def _waiting(state: Any) -> int | None:
    return None if state.pending_jobs is None else int(state.pending_jobs)


def _service() -> Any:
    """The client of the saved account.

    Raises:
        CredentialsError: No usable account.
        UnsafeAddressError: The account's key or tokens would travel to another address than IBM's.
        BackendError: The service doesn't answer.
    """
    # The client's messages could hold parts of the account: only their type is passed on.
    try:
        return open_service()
    except (CredentialsError, UnsafeAddressError):
        raise
    except (IBMAccountError, IBMNotAuthorizedError) as ex:
        if (host := _silent_host(ex)) is not None:
            raise BackendError(
                f"IBM Quantum can't be reached: no connection to {host}; nothing was asked"
            ) from None
        raise CredentialsError(
            f"no usable IBM Quantum account ({type(ex).__name__}): save one with "
            "QiskitRuntimeService.save_account(token=…, instance=…) or set QISKIT_IBM_TOKEN and "
            "QISKIT_IBM_INSTANCE"
        ) from None
    except Exception as ex:
        # Network and service errors have no common base in the client.
        raise BackendError(
            f"IBM Quantum refused or did not answer ({type(ex).__name__}): check the account, the "
            "instance and the network"
        ) from None


def _silent_host(failure: BaseException | None) -> str | None:
    """The address that gave no answer, where that is behind an error about the account.

    The client says "invalid account" also where it could ask nobody.
    """
    while failure is not None:
        if isinstance(failure, requests.ConnectionError | requests.Timeout):
            return "it" if failure.request is None else urlsplit(str(failure.request.url)).netloc
        failure = failure.__cause__ or failure.__context__
    return None
