"""What is on disk: submissions, rows, runs and raw results.

`store` is the ledger, opened where `location` says: `reads` is what it is asked, `claims` how rows
are claimed, `leases` how submissions change, `history` what is noted of it (`schema` its tables,
`database` its connection, `records` its lines, `states` what may follow what). `blobs` are files by
their digest, and `journal` are the records beside them from which a lost database is made again.
`rows` are what is bought, `same_row` says which of them are the same, by the index of `projection`.
`runs` are what was asked for, `run_states` whether it still goes on, and `pinned` are the circuits
that were compiled for it. `ids` and `rights` are checked where files are touched, and `unwritable`
reads a ledger that can't be written to.
"""
