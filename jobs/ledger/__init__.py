"""What is on disk: submissions, rows, runs and raw results.

`store` is the ledger (`schema` its tables, `database` its connection, `records` its lines, `states`
what may follow what), `blobs` are files by their digest, `rows` are what is bought, `same_row` says
which of them are the same, `runs` are what was asked for, `run_states` whether it still goes on,
and `pinned` are the circuits that were compiled for it.
"""
