"""What jobs cost: `budget` refuses beforehand, `bills` are asked afterwards, `usage` adds up.

`forecast` says which rows of a plan the ledger knows already.
"""
