"""Raw results → values, by the names that are recorded with them: a decoder is a file.

Another distribution adds one by an entry point in the group ``qvlm_qiskit.decoders``, so that what
its machine has answered can be read again without it.
"""
