"""`python tools/distill` in a clone: the command line, with styler's own source."""

import sys
from pathlib import Path

if __name__ == "__main__":
    tools = Path(__file__).resolve().parents[1]
    sys.path[:1] = [str(tools), str(tools.parent)]
    from distill.command import main

    main()
