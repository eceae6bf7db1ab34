"""Exceptions whose text is a sentence for the user."""


class InputError(ValueError):
    """Something that came from outside is wrong.

    The message is one sentence that a user can act on: what was wrong, where,
    and what to do. Commands print it and exit with status 2; services return it.
    """


class BagUnreadable(InputError):
    """The bag is missing, empty, corrupt, too large, or not a bag."""


class TopicMissing(InputError):
    """The bag lacks a topic, or a muscle, that the rig needs."""


class BagTooShort(InputError):
    """The bag holds too little IMU and EMG data of the same time."""
