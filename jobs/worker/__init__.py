"""From an intent on disk to an answer: submit once, find again, follow, fetch.

`worker` takes submissions through their states: `submit` sends, `reconcile` finds what may have
been sent, `follow` waits and fetches, `sessions` opens and closes batches, `patience` says how
long.
"""
