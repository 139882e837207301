"""How an exercise's check speaks to the reader."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def checking(title: str) -> Iterator[None]:
    """Run an exercise's check and say in one line how it stands; a headless run goes on whatever the answer.

    The block holds ``assert condition, "what a reader should look at"``. It prints that the exercise is right, still
    open (the stub raises :class:`NotImplementedError`), or not right yet, with the assertion's message or the error.

    Args:
        title: of the exercise, such as ``Exercise 1``.
    """
    try:
        yield
    except NotImplementedError:
        print(f"{title} is still open: write the function above and run this cell again.")
    except AssertionError as error:
        print(f"{title} is not right yet: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a reader's code raises is a reader's answer
        print(f"{title} is not right yet: your function raised {type(error).__name__}: {error}")
    else:
        print(f"{title} is right.")
