def test_an_interrupt_is_one_line_and_status_130(qvlm, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("qvlm_qiskit.backends.list_backends", interrupted)
    found = qvlm("backends")
    assert (found.status, found.out, found.err) == (130, "", "qvlm: interrupted\n")
