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
    # The client's messages could hold parts of the account: only their type is passed on.
    try:
        service = open_service()
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


def _silent_host(failure: BaseException | None) -> str | None:
    """The address that gave no answer, where that is behind an error about the account.

    The client says "invalid account" also where it could ask nobody.
    """
    while failure is not None:
        if isinstance(failure, requests.ConnectionError | requests.Timeout):
            return "it" if failure.request is None else urlsplit(str(failure.request.url)).netloc
        failure = failure.__cause__ or failure.__context__
    return None
