"""What every room may use, and what knows none of them.

`files` writes atomically, `registry` finds things by name, `terms` reads ``name(a,b=c)+…``,
`progress` shows bars, `foreign_text` what others wrote, `caches` are what they say, and
`computer` is the one that this runs on. `lazy` imports a package's names on first use. Two rules
that several chains share are here, too: `same_row` says when two rows are the same,
`pauli_transfer` how channels are matrices.
"""
