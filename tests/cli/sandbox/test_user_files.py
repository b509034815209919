"""What is read later must be readable for the new user, and a file that is gone meanwhile is said."""
import os

import pytest

import wire

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY = "65534"


@pytest.fixture
def open_folder(tmp_path):
    """All users may pass through it."""
    folder, closed = tmp_path, {}
    while folder != folder.parent and folder.stat().st_uid == os.geteuid():
        if not (mode := folder.stat().st_mode) & 1:
            closed[folder] = mode
            folder.chmod(mode | 0o111)
        folder = folder.parent
    tmp_path.chmod(0o755)
    yield tmp_path
    for folder, mode in closed.items():
        folder.chmod(mode)


@ROOT
@pytest.mark.parametrize("sandbox", ["auto", "off"])
@pytest.mark.parametrize("mode", ["serve", "listen", "connect"])
@pytest.mark.parametrize("files, says", [(["--file", "FOLDER/secret"], "cannot read"), (["--transcript", "FOLDER/%c"], "cannot make files in"),
                                         (["--record", "FOLDER/%c.talk"], "cannot make files in"),
                                         (["--file", "FOLDER/closed/file"], "cannot read")])
def test_what_the_user_cannot_open_is_refused(sockctl, tcp, open_folder, mode, sandbox, files, says):
    (open_folder / "secret").write_bytes(b"x")
    (open_folder / "secret").chmod(0o600)
    (open_folder / "closed").mkdir(mode=0o700)
    (open_folder / "closed" / "file").write_bytes(b"x")
    listener = tcp.listen() if mode == "connect" else None
    files = [word.replace("FOLDER", str(open_folder)) for word in files]
    proc = sockctl.run(mode, "--user", NOBODY, "--sandbox", sandbox, *files, *tcp.words())
    assert proc.code == 2, proc
    assert f"--user {NOBODY} {says} {open_folder}" in proc.complaint() and "Permission denied" in proc.complaint()
    if listener:
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@ROOT
@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_what_the_user_can_open_is_served(sockctl, tcp, open_folder, sandbox):
    (open_folder / "file").write_bytes(b"all of it")
    (open_folder / "file").chmod(0o644)
    (open_folder / "logs").mkdir()
    os.chown(open_folder / "logs", 65534, 65534)
    sockctl.serve("serve", tcp, "--user", NOBODY, "--sandbox", sandbox, "--file", open_folder / "file",
                  "--transcript", open_folder / "logs" / "%c")
    for number in (1, 2):
        sock = tcp.dial()
        wire.half_close(sock)
        assert wire.read_eof(sock) == b"all of it"
        assert (open_folder / "logs" / str(number)).exists()


def test_a_file_that_is_gone_is_said(sockctl, tcp, tmp_path):
    """Once, until it is there again; a client is reset, for an end would look like an empty file."""
    file = tmp_path / "file"
    file.write_bytes(b"here")
    proc = sockctl.serve("serve", tcp, "--file", file)
    for _ in range(2):
        file.unlink()
        for _ in range(3):
            try:
                wire.read_reset(tcp.dial())
            except ConnectionResetError:  # before connect() has returned
                pass
        proc.says(rb"warning: --file [^\n]*/file: No such file or directory\n")
        file.write_bytes(b"here")
        sock = tcp.dial()
        wire.half_close(sock)
        assert wire.read_eof(sock) == b"here"
        assert proc.err.count(b"warning") == 1
        proc.err.clear()
