"""`python -m styler`, and the entry point of the `styler` command."""

import sys

try:
    from styler.ui.cli import main
except KeyboardInterrupt:  # while it is loaded there is nobody yet to mind signals
    sys.exit(130)

if __name__ == "__main__":
    main()
