"""Noise as plain data: read from a calibration, written by a formula, compared and scaled.

`spec` is the description; it consists of `entries` per qubit and gate and of parametric `sources`,
within `bounds`. `calibration` reads a device's, `parametric` a formula, `restriction` and `scaling`
make others of it, `kinds` names kinds of error, `comparison` lists differences, `gates` are the
operations that it knows, and `protocol` is what the channels ask of it.
"""
