"""Socket files: a dead one is replaced, a live one and anything else is left alone; ours goes when we go."""
import os
import signal
import socket
import stat

import pytest

import wire
from place import Place

MODES = pytest.mark.parametrize("mode", ["listen", "serve", "echo", "chat"])


@pytest.fixture(params=["unix", "unix-dgram"])
def local(request, tmp_path):
    return Place(request.param, tmp_path)


def dead(place):
    """A socket file whose owner is gone."""
    sock = socket.socket(socket.AF_UNIX, place.type)
    sock.bind(place.path)
    sock.close()


@MODES
def test_dead_is_replaced(sockctl, local, mode):
    dead(local)
    old = os.lstat(local.path).st_ino, os.lstat(local.path).st_ctime_ns
    sockctl.serve(mode, local)
    new = os.lstat(local.path).st_ino, os.lstat(local.path).st_ctime_ns
    assert old != new
    local.dial()


@MODES
def test_live_is_refused(sockctl, local, mode):
    owner = local.listen()
    if local.dgram:
        owner.setblocking(False)
    proc = sockctl.run(mode, *local.words())
    assert proc.code == 10
    assert local.path in proc.complaint()
    assert os.path.exists(local.path)
    client = local.dial()
    if local.dgram:  # it was not disturbed by so much as a datagram
        with pytest.raises(BlockingIOError):
            owner.recv(1)
    else:
        assert wire.accept(owner)
    client.close()


def test_liveness_disturbs_no_server(sockctl, local):
    """The question is asked with the other socket type: the owner is not handed a connection or a datagram."""
    owner = local.listen()
    sockctl.run("echo", *local.words())
    owner.setblocking(False)
    with pytest.raises(BlockingIOError):
        owner.recv(1) if local.dgram else owner.accept()


def test_live_with_a_full_backlog_is_refused(sockctl, tmp_path):
    place = Place("unix", tmp_path)
    place.listen(backlog=0)
    place.dial()
    assert sockctl.run("echo", *place.words()).code == 10


@MODES
@pytest.mark.parametrize("thing", ["file", "folder", "link", "dangling"])
def test_what_is_no_socket_is_left_alone(sockctl, local, mode, thing):
    target = local.folder / "target"
    if thing == "file":
        (local.folder / "s").write_text("precious")
    elif thing == "folder":
        os.mkdir(local.path)
    else:
        if thing == "link":
            target.write_text("precious")
        os.symlink(target, local.path)
    before = os.lstat(local.path)
    proc = sockctl.run(mode, *local.words())
    assert proc.code == 10
    assert local.path in proc.complaint()
    after = os.lstat(local.path)
    assert (before.st_ino, before.st_mode, before.st_size) == (after.st_ino, after.st_mode, after.st_size)
    assert thing != "dangling" or not target.exists()


@MODES
@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_removed_by_signal(sockctl, local, mode, signo):
    proc = sockctl.serve(mode, local)
    proc.signal(signo)
    proc.ends(-signo if mode == "listen" else 0)
    assert not os.path.lexists(local.path)


def test_removed_at_exit(sockctl, tmp_path):
    place = Place("unix", tmp_path)
    proc = sockctl.serve("listen", place, stdin=b"")
    wire.close(place.dial())
    proc.ends(0)
    assert not os.path.lexists(place.path)


@MODES
def test_not_removed_when_it_is_no_longer_ours(sockctl, local, mode):
    proc = sockctl.serve(mode, local)
    os.rename(local.path, local.path + ".ours")
    owner = local.listen()
    proc.signal(signal.SIGTERM)
    proc.wait()
    assert stat.S_ISSOCK(os.lstat(local.path).st_mode)
    owner.close()
    os.unlink(local.path + ".ours")


def test_a_file_at_our_path_meanwhile_is_not_removed(sockctl, local):
    proc = sockctl.serve("echo", local)
    os.unlink(local.path)
    (local.folder / "s").write_text("precious")
    proc.signal(signal.SIGTERM)
    proc.ends(0)
    assert (local.folder / "s").read_text() == "precious"


@pytest.mark.parametrize("mode", ["0600", "0660", "0666", "600"])
def test_unix_mode(sockctl, local, mode):
    sockctl.serve("echo", local, "--unix-mode", mode)
    assert stat.S_IMODE(os.lstat(local.path).st_mode) == int(mode, 8)


@pytest.mark.parametrize("mode", ["serve", "echo", "chat", "listen"])
@pytest.mark.parametrize("umask", [0, 0o027, 0o022, 0o777])
def test_the_socket_is_ours_alone(sockctl, local, umask, mode):
    """Whatever the umask is."""
    sockctl.serve(mode, local, before_exec=lambda: os.umask(umask))
    assert stat.S_IMODE(os.lstat(local.path).st_mode) == 0o600


@pytest.mark.parametrize("umask", [0, 0o077])
def test_unix_mode_does_not_ask_the_umask(sockctl, local, umask):
    sockctl.serve("echo", local, "--unix-mode", "0666", before_exec=lambda: os.umask(umask))
    assert stat.S_IMODE(os.lstat(local.path).st_mode) == 0o666


def test_a_replaced_socket_is_ours_alone(sockctl, local):
    """The mode of the dead one that lay there says nothing."""
    dead(local)
    os.chmod(local.path, 0o777)
    sockctl.serve("echo", local)
    assert stat.S_IMODE(os.lstat(local.path).st_mode) == 0o600


def test_the_umask_is_as_before_for_programs(sockctl, tmp_path):
    place = Place("unix", tmp_path)
    proc = sockctl.serve("listen", place, "-e", "umask", before_exec=lambda: os.umask(0o027))
    sock = place.dial()
    wire.half_close(sock)
    assert wire.read_eof(sock) == b"0027\n"
    proc.ends(0)


def test_folder_not_there(sockctl, tmp_path):
    proc = sockctl.run("echo", f"unix:{tmp_path}/no/s")
    assert proc.code == 10
    assert f"{tmp_path}/no/s" in proc.complaint()


def test_the_longest_path(sockctl, tmp_path, monkeypatch):
    """sun_path holds 108 bytes; 107 and a NUL fit everywhere."""
    monkeypatch.chdir(tmp_path)
    name = "x" * 107
    sockctl.serve("echo", [f"unix:{name}"])
    assert sockctl.start("connect", f"unix:{name}", stdin=b"long").ends(0) == b"long"


def test_second_server_after_the_first_was_killed(sockctl, local):
    first = sockctl.serve("echo", local)
    first.kill()
    assert os.path.exists(local.path)
    sockctl.serve("echo", local)
