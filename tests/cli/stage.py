"""A stage for single command lines: the peers they talk to and the files they read are there, the ports they name are free.

A line that serves is started, found, spoken to and ended; any other runs to its end. What peers there must be is read off the line
itself: where it connects or forwards to. They send everything back, over whatever the line speaks.
"""
import re
import shlex

import certs

TALKS = {"25": "frame crlf\nsend \"220 mail\"\non i\"QUIT\" send \"221 bye\" close\nelse send \"250 ok\"\n",
         "6379": 'frame crlf\nelse send "+PONG"\n'}
HOLA = 'expect "hola"\nsend "pues hola"\n'
OURS = re.compile(r"sockctl (connect|listen|serve|echo|chat)\b.*")


def files(folder):
    """All that the texts name."""
    good = certs.make("stage", issuer=certs.root(), dns=("localhost", "*.example.org", "example.org"), ips=("127.0.0.1", "::1"))
    for name in ("server.pem", "client.pem"):
        (folder / name).write_bytes(good.both.read_bytes())
    (folder / "server.key").write_bytes(good.key.read_bytes())
    for name in ("own-ca.pem", "ca.pem", "staff.pem"):
        (folder / name).write_bytes(certs.root().pem.read_bytes())
    for name in ("in", "image.iso", "data", "golden.bin"):
        (folder / name).write_text("hola\n")
    for name in ("answer", "page"):
        (folder / name).write_text("HTTP/1.0 200 OK\r\nContent-Length: 200\r\n\r\n" + 200 * "-")
    for name in ("saved-1.talk", "redis.talk"):
        (folder / name).write_text(HOLA)
    (folder / "smtp.talk").write_text('frame crlf\nsend "220 test"\nelse send "250 ok"\n')
    (folder / "allow.txt").write_text("127.0.0.0/8\n::1\n")
    (folder / "deny.txt").write_text("192.0.2.7\n")
    for name in ("client", "mailer", "inetd-style-server", "program", "start"):
        (folder / name).write_text("#!/bin/sh\nexec true\n")
        (folder / name).chmod(0o755)


def in_table(text):
    """The command lines of ours between backquotes."""
    return [line for line in re.findall(r"`([^`\n]*)`", text) if OURS.search(line)]


def behind_prompts(text):
    """Those behind a prompt, as in the manual."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in re.findall(r"^\s*\w*\$ (.*)$", joined, re.M) if OURS.search(line)]


END = "kill -TERM -- -$it 2>/dev/null; wait $it; s=$?; [ $s = 143 ] && s=0; exit $s\n"


class Line:
    """One command line, and what can be read off it."""

    def __init__(self, text):
        self.text = text = text.replace("/tmp/", "")  # which all users share; here is as good
        lexer = shlex.shlex(OURS.search(text).group(), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = []
        for word in lexer:
            if word in ("|", "&", "&&", ";", ">", "<", ">>"):
                break
            words.append(word)
        self.mode = words[1]
        self.words = words[2:words.index("--")] if "--" in words else words[2:]
        self.serves = self.mode != "connect" and "--run" not in words
        self.udp = "-u" in words or "-lu" in words or any(w.startswith("udp://") for w in self.plain())
        self.tls = "--tls" in words or any(w.startswith("tls://") for w in self.plain())

    def plain(self):
        """The words that are neither options nor their values, near enough to find addresses among them."""
        return [w for before, w in zip([""] + self.words, self.words) if before != "--forward" and not w.startswith("--")]

    def address(self):
        """Where it listens, or where it connects to: the words for our client, or for a server of ours."""
        found = [w for w in self.plain() if re.match(r"(unix:|unix-dgram:|tls://|udp://)", w)]
        if found:
            return [re.sub(r"^tls://", "", found[-1]).replace("udp://:", "udp://localhost:")]
        joined = [w for w in self.plain() if re.fullmatch(r"[a-z.]+:\d+", w)]
        if joined:
            return [joined[-1]]
        ports = [i for i, w in enumerate(self.words) if re.fullmatch(r"(0|\d{2,5})([-,]\d+)*", w)]
        host = self.words[ports[-1] - 1] if self.mode == "connect" else "localhost"
        return [host, re.split("[-,]", self.words[ports[-1]])[0]]

    def peers(self):
        """[(address words, over what)] of each peer it needs."""
        needed = []
        if "--all" in self.words:
            every = [w for w in self.plain() if re.match(r"unix:|tls://|[a-z.]+:\d+$", w)]
            needed += [([re.sub(r"^tls://", "", w)], "tls" if w.startswith("tls://") else "") for w in every]
        elif self.mode == "connect":
            needed.append((self.address(), "tls" if self.tls else "udp" if self.udp else ""))
        for before, word in zip(self.words, self.words[1:]):
            if before == "--forward":
                needed.append(([word.replace("tls://", "")], "tls" if word.startswith("tls://") else "udp" if "udp:" in word else ""))
        return needed


def peer(line, address, over):
    """The words that start it, in the background, and wait for it."""
    port = re.split("[: ]", " ".join(address))[-1]
    what = "echo"
    if port in TALKS and not over:
        what = f"serve --talk @{port}.talk"
    elif any(word in line.text for word in ("--recv-only", "--half-close no", "socks", "stty")):  # no peer tells an echo to end
        what = "serve --file in"
    flags = {"tls": "--tls --cert server.pem --alpn h2", "udp": "-u", "": ""}[over]
    words = " ".join(shlex.quote(word) for word in address)
    return f"rm -f up; mkfifo up; sockctl {what} {flags} --ready-fd 9 {words} 9>up </dev/null & read -r it <up\n"


def proxies(line):
    if "socks" in line.text:
        return "microsocks -i 127.0.0.1 -p 1080 2>/dev/null & sockctl connect --probe --wait 10s 127.0.0.1 1080 >/dev/null\n"
    if "http://" in line.text and "--proxy" in line.text:
        auth = "BasicAuth ana secret\\n" if "AUTH" in line.text else ""
        return (f"printf 'Port 3128\\nTimeout 60\\nConnectPort 80\\nConnectPort 443\\nLogFile \"tiny.log\"\\n{auth}' >tiny.conf\n"
                "tinyproxy -d -c tiny.conf >/dev/null 2>&1 & sockctl connect --probe --wait 10s localhost 3128 >/dev/null\n")
    return ""


def rehearsal(line, folder):
    """The script that plays a line. Its exit status is the line's own; a server's is 0 if it ended as it should."""
    for port, talk in TALKS.items():
        (folder / f"{port}.talk").write_text(talk)
    files(folder)
    script = "set -m; mount -t tmpfs none /run; mkfifo leash said; exec 3<>leash\n"
    if "--until closed" not in line.text:
        script += "".join(peer(line, *each) for each in line.peers())
    script += proxies(line)
    if "stty" in line.text:
        (folder / "line.sh").write_text(line.text)
        return script + "script -qec 'bash line.sh' /dev/null <leash\n"
    if not line.serves:
        return script + f"echo hola | {{ {line.text}\n}}\n"
    where = " ".join(map(shlex.quote, line.address()))
    said = "tar c in" if "tar x" in line.text else "echo hola"
    poke = f"{said} | sockctl connect -q {'--tls --insecure' if line.tls else ''} -i 2 {'-u' if line.udp else ''} "
    if where.endswith(" 0"):
        return script + f"{{ {line.text}\n}} </dev/null 2>said & it=$!; read -r line <said; [[ $line == *listening* ]]\n" + END
    script += f"{{ {line.text}\n}} </dev/null & it=$!\n"
    if line.udp:
        script += f"until {poke} --replies 1 --reply-wait 200ms {where} >/dev/null 2>&1 || ((++tries > 20)); do :; done\n"
    else:
        script += f"{poke} --wait 10s {where} >/dev/null 2>&1\n"
    return script + END
