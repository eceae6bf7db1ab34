"""The one exception that carries a sentence for the user."""


class InputError(ValueError):
    """Something that came from outside is wrong.

    The message is one sentence that a user can act on: what was wrong, where,
    and what to do. Commands print it and exit with status 2; services return it.
    """
