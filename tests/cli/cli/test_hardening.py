"""The program is built so that a mistake in it is hard to use (tests/tools/hardened says what that means), and the tool that says so
finds each thing that is missing."""

import pathlib
import shutil
import subprocess

import pytest

from program import BINARY

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "hardened"
GOOD = ["-O2", "-fcf-protection", "-fPIE", "-pie", "-fstack-protector-all", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro", "-Wl,-z,now",
        "-Wl,-z,noexecstack"]
SOURCE = "#include <stdio.h>\n#include <string.h>\nint main(int c, char **v)\n{\n\tchar b[32];\n\tstrcpy(b, v[c - 1]);\n\treturn puts(b);\n}\n"
SOURCE += "".join(f"int f{i}(int x)\n{{\n\treturn x + {i};\n}}\n" for i in range(20))
WEAK = [("-no-pie", "pie"), ("-Wl,-z,norelro", "relro"), ("-Wl,-z,lazy", "now"), ("-Wl,-z,execstack", "nx"), ("-Wl,-rpath,/tmp", "rpath"),
        ("-fno-stack-protector", "ssp"), ("-D_FORTIFY_SOURCE=0", "fortify"), ("-fcf-protection=none", "cet")]


def ask(program):
    done = subprocess.run([str(TOOL), str(program)], capture_output=True, text=True)
    return done.returncode, done.stdout


def test_the_program():
    if b"__asan_init" in pathlib.Path(BINARY).read_bytes():
        pytest.skip("a build with a sanitizer has its own guards")
    status, words = ask(BINARY)
    assert status == 0, words
    assert " pie relro now nx rpath ssp" in words


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
@pytest.mark.parametrize("flag,lacks", WEAK)
def test_what_is_missing_is_found(tmp_path, flag, lacks):
    source, program = tmp_path / "weak.c", tmp_path / "weak"
    source.write_text(SOURCE)
    own = [f for f in GOOD if not (flag.startswith("-D_FORTIFY") and "FORTIFY" in f)]
    subprocess.run(["gcc", *own, "-Wno-all", flag, str(source), "-o", str(program)], check=True, capture_output=True)
    status, words = ask(program)
    assert status == 1
    assert lacks in words.split("LACKS ")[1].split()
