"""Whether the Hub has something, asked once before a library asks it many times."""

from __future__ import annotations

from textwrap import shorten
from typing import Literal

from qvlm_qiskit.errors import InputError


def check_on_hub(name: str, kind: Literal["model", "dataset"] = "model") -> None:
    """Refuse a name of which there is nothing in the Hub's cache, and nothing on the Hub.

    huggingface_hub retries where there is no network, without a setting for how often: transformers
    took 46 seconds to say that a model is not there.

    Args:
        name: That is no folder here.
        kind: Of repository.

    Raises:
        InputError: The Hub has no such name, or can't be asked; how long is waited for an answer is
            the environment's HF_HUB_ETAG_TIMEOUT.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    wanted = {"model": "model", "dataset": "data set"}[kind]
    try:
        snapshot_download(name, repo_type=kind, local_files_only=True)
        return
    except LocalEntryNotFoundError:
        pass
    except ValueError as error:
        raise InputError(f"there is no such folder, and no {wanted} has that name") from error
    try:
        HfApi().repo_info(name, repo_type=kind, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except RepositoryNotFoundError as error:
        raise InputError(f"there is no such folder, and no such {wanted} on the Hub") from error
    except Exception as error:  # of the network, of half a dozen kinds
        said = shorten(" ".join(str(error).split()) or repr(error), 80, placeholder=" …")
        raise InputError(f"there is no such folder, and the Hub can't be asked: {said}") from error
