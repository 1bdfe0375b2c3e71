"""What a batch would cost on a backend, before anything is sent.

`rehearse` runs the model on an estimator that takes notes, `costs` plans those calls through the
stack, `limits` are the documented ones of the service, `advice` says what would be cheaper, and
`preflight` puts it together.
"""
