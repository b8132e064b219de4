"""python -m tests.acceptance."""

import sys

from tests.acceptance.run import main

if __name__ == "__main__":
    sys.exit(main())
