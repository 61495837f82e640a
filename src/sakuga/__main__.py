"""`python -m sakuga` is the same as `sakuga`."""

from sakuga.cli import main

main()
