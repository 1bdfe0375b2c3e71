"""What runs packages as jobs where a machine brings no service of its own, and reads results.

`local` is this computer (`local_process` its detached process), `decode` reads raw results.
`backends.service` says what a service is.
"""
