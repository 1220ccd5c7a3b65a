"""What a generator of epochs yields and returns."""


def finish(generator):
    """The rows and the result."""
    rows = []
    while True:
        try:
            rows.append(next(generator))
        except StopIteration as end:
            return rows, end.value
