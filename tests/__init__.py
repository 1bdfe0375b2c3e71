"""The tests; a package, so that `python -m tests.runtime_server` means this folder."""
