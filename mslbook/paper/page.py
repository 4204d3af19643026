"""What pages share: a table of numbers, and the check of a number that a reader has found."""


def table(head, rows):
    """A table of text and numbers, as a page and a notebook show it.

    >>> from mslbook.paper.page import table
    >>> print(table(["η", "edge"], [[0.1, 20], [0.2, 10]]).data)
    | η | edge |
    | --- | --- |
    | 0.1 | 20 |
    | 0.2 | 10 |
    """
    from IPython.display import Markdown

    lines = [head, ["---"] * len(head), *rows]
    return Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


def check(yours, right, tol=0.01):
    """Say whether a reader's number is right, to a relative error; None asks for one.

    >>> from mslbook.paper.page import check
    >>> check(None, 3.14159)
    Write your number in place of None, and run the cell again.
    >>> check(3.14, 3.14159)
    Right.
    >>> check(3, 3.14159)
    Not yet: 3 is too small.
    """
    if yours is None:
        print("Write your number in place of None, and run the cell again.")
    elif abs(yours - right) <= tol * abs(right):
        print("Right.")
    else:
        print(f"Not yet: {yours:g} is too {'large' if yours > right else 'small'}.")


def records(*runs):
    """How recordings were made, folded beneath a line that says so."""
    from IPython.display import Markdown

    which = "this run was" if len(runs) == 1 else "these runs were"
    about = "\n\n".join(run.about() for run in runs)
    text = f"<summary>How {which} made</summary>\n\n```text\n{about}\n```"
    return Markdown(f"<details>\n{text}\n\n</details>")
