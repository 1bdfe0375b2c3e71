"""From an intent on disk to an answer: submit once, find again, follow, fetch.

`worker` takes submissions through their states: `submit` sends, `reconcile` finds what may have
been sent, `follow` waits and fetches. They share a `desk`: the ledger, the machine, the budget, the
open batches (`sessions`) and how long to wait (`patience`). `pacing` counts requests by the minute.
"""
