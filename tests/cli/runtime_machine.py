"""The machine of the loopback Runtime service."""

MACHINE = "ibm:fake_manila"
