"""Is a learned representation of circuits worth a search for circuits?

`options` says how large everything is, `circuits` draws random circuits and writes them as graphs,
`representation` learns to embed graphs, `tasks` trains every circuit of a pool once, `searches`
look for the best of them, `cells` runs one search, `summary` reduces the rows, and `study` puts
these together.
"""

from qvlm_qiskit.studies.search.study import SearchStudy as SearchStudy
