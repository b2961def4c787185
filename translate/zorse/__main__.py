"""`python -m zorse`: the command, for launchers that start modules (torchrun -m zorse train ...)."""

from zorse.cli import main

if __name__ == "__main__":
    main()
