"""The machines: of each, its estimator and the opener that its name leads to.

`sampling` is what sampled simulators share, `fake_devices` and `noise_by_name` find devices and
noise by their names.
"""
