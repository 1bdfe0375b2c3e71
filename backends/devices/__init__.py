"""The machines: of each, its estimator and the opener that its name leads to.

`sampling` is what sampled simulators share, `runtime` what all devices behind the Runtime client
share. `fake_devices` (`fake_files` without the client) and `noise_by_name` find devices and noise
by their names.
"""
