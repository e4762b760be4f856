import sys

from terminal_lego.cli import main

sys.exit(main())
