"""Circuits that run as fragments: wires are cut and what they carried is put together again.

:mod:`fragments` (circuit and places → circuits on fewer qubits), :mod:`reconstruction` (the values
of fragments → those of the circuit) and :mod:`layer` (both as a torch module).
"""
