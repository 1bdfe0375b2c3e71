"""Is a language model better compressed to matrix-product operators than to low rank?

`options` says which model and how much, `texts` has what it reads, `language` opens or trains it,
`low_rank` is the control, `cells` compresses and heals one model, `summary` reduces the rows, and
`study` puts these together. Compression itself is of `qvlm_qiskit.adapter.inspection`.
"""

from qvlm_qiskit.studies.compression.study import CompressionStudy as CompressionStudy
