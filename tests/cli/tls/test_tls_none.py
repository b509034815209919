"""A program that was built without TLS says so, before anything is opened; where it has it there is nothing to test here."""
import pytest

import wire
from program import has_tls

if not has_tls():

    @pytest.mark.parametrize("mode", ["connect", "listen", "serve", "echo", "chat"])
    @pytest.mark.parametrize("form", ["url", "option"])
    def test_built_without_tls(sockctl, tcp, mode, form):
        listener = tcp.listen()
        at = f"127.0.0.1:{tcp.port if mode == 'connect' else 0}"
        proc = sockctl.run(mode, *([f"tls://{at}"] if form == "url" else ["--tls", at]), stdin=b"payload")
        assert proc.ends(2) == b""
        assert "built without TLS" in proc.complaint() and wire.silent(listener)
