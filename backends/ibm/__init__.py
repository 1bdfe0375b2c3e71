"""All that touches the insides of IBM's Runtime client.

`account` finds the saved account and `machine` one of its machines, `transport` guards what the
client sends, and `wire` is the one request underneath: a total deadline, one POST, a note of what
left and what came back.
`runtime_jobs` runs packages as jobs, `outcomes` says what a request led to, `decode` reads results.
"""
