"""How pocket was made: `python -m albumkit.engine.pocket.make PART` trains every part of it from nothing."""
