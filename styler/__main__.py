"""`python -m styler`, and the entry point of the `styler` command."""

from styler.ui.cli import main

if __name__ == "__main__":
    main()
