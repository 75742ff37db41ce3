"""The subcommands of ``isagoge``. Each module has ``add`` for its options and ``execute`` for its work."""
