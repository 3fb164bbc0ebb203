"""`python -m hypersd`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    try:
        from hypersd.cli.main import main
    except KeyboardInterrupt:  # before there is anything that could say so in a better way
        sys.exit(130)
    sys.exit(main())
