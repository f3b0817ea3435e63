"""Tables that read well in a terminal and as Markdown."""


def print_table(head, rows):
    """Prints a Markdown table; everything but the first column is set to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells):
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join([first, *rest]) + " |"

    print(line(head))
    print("| " + " | ".join(["-" * widths[0], *["-" * (w - 1) + ":" for w in widths[1:]]]) + " |")
    for row in rows:
        print(line(row))
