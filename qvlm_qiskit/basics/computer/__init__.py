"""This computer: clocks, memory, the processes of a command, and locks that a fork finds open."""
