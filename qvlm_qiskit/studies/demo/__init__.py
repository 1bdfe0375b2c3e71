"""``qvlm demo``.

`demo` is its stages, `runtime_stage` the one through the Runtime client, and `demo_report` what it
leaves.
"""
