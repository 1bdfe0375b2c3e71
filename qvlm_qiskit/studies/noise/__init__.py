"""``qvlm study noise``: how noise hurts, and what helps.

`grid` says which models and machines, `cells` evaluates one on the other, `study` does all of them,
`table` and `summary` reduce them, `noise_report` shows them. `sweep` is the demo's short one.
"""
