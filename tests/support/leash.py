"""Run a server that may not outlive the tests: `python leash.py COMMAND...`.

The server is killed when standard input ends, that is when whoever started this script is gone,
even by kill -9. Standard library only: it runs by path, outside the package.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Start the command in its own process group, kill the group at the end of standard input."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)

    def kill_when_alone() -> None:
        sys.stdin.buffer.read()
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)

    threading.Thread(target=kill_when_alone, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
