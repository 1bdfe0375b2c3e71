"""``qvlm demo``.

`demo` is a `rehearsal` and the `stages`, with the sizes of `options`; `runtime_stage` is the one
through the Runtime client, and `demo_report` what it leaves.
"""
