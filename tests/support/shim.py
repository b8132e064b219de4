"""What a test's shell starts as `irsa`: it asks the process that has irsa loaded already (`forks`) for a run.

The run has this process's streams, folder, environment and umask, gets its signals, and this process ends as
it ends. It is neither its child nor in its process group: who tests how irsa starts, is killed or sits at a
terminal starts irsa itself. No module is imported that takes longer than the interpreter's own start.
"""

import os
import sys
from _json import encode_basestring_ascii as quoted
from _signal import SIG_DFL, SIGHUP, SIGINT, SIGQUIT, SIGTERM, signal  # type: ignore[import-not-found]
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_STREAM, SOL_SOCKET, socket

SOCKET = os.path.join(os.path.dirname(os.path.realpath(sys.argv[0])), "socket")


def order() -> bytes:
    """As the zygote wants it."""
    arguments = ",".join(quoted(word) for word in sys.argv[1:])
    env = ",".join(f"{quoted(name)}:{quoted(value)}" for name, value in os.environ.items())
    umask = os.umask(0)
    os.umask(umask)
    folder = quoted(os.getcwd())
    text = f'{{"arguments":[{arguments}],"env":{{{env}}},"folder":{folder},"umask":{umask}}}'.encode()
    return len(text).to_bytes(4, "big") + text


def main() -> None:
    """Run irsa elsewhere; not its sandbox, which is no part of what is loaded."""
    if sys.argv[1:2] == ["sandbox"]:
        os.execv(sys.executable, [sys.executable, "-m", "irsa_cli", *sys.argv[1:]])
    early: list[int] = []
    pid = 0

    def forward(number: int, _frame: object) -> None:
        os.kill(pid, number) if pid else early.append(number)

    for number in (SIGHUP, SIGINT, SIGQUIT, SIGTERM):
        signal(number, forward)
    zygote = socket(AF_UNIX, SOCK_STREAM)
    zygote.connect(SOCKET)
    streams = b"".join(stream.to_bytes(4, sys.byteorder) for stream in (1, 2, 0))
    rest = order()
    rest = rest[zygote.sendmsg([rest], [(SOL_SOCKET, SCM_RIGHTS, streams)]) :]
    zygote.sendall(rest)
    answer = b""
    while answer.count(b"\n") < 2:
        answer += (got := zygote.recv(64))
        if not got:
            sys.exit("the process that runs irsa is gone")
        if b"\n" in answer and not pid:
            pid = int(answer.partition(b"\n")[0])
            for number in early:
                os.kill(pid, number)
    code = int(answer.split()[1])
    if code < 0:
        signal(-code, SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


main()
