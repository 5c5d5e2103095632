"""The type checker behind every shape annotation while tests run."""

from beartype import BeartypeConf, beartype

# The numeric tower: an int is welcome where a float is annotated, as in Python itself.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
