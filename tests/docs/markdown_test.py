#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""What is read of a page, and when what is printed counts as what is shown."""

import unittest

import markdown

PAGE = """# One
<!-- with:
touch a
-->
```sh
cat > b <<'END'
# text
END
# a comment
usher run \\
    -- b
```
## Two
<!-- needs: lpr lpq -->
<!-- not run: costs paper -->
```console
$ lpr <<'END'
text
END
printed
$ true
```
"""


class ReadTest(unittest.TestCase):
    def test_blocks_have_their_place_and_what_is_said_of_them(self):
        one, two = markdown.blocks_of("page", PAGE)
        self.assertEqual((one.place, one.language, one.section), ("page:6", "sh", 1))
        self.assertEqual((one.setup, one.reason), ("touch a", ""))
        self.assertEqual((two.language, two.section, two.reason), ("console", 2, "costs paper"))
        self.assertEqual((one.needs, two.needs), ([], ["lpr", "lpq"]))

    def test_commands_keep_their_texts_and_their_continued_lines(self):
        one, two = markdown.blocks_of("page", PAGE)
        self.assertEqual(markdown.commands_of(one.text),
                         ["cat > b <<'END'\n# text\nEND", "usher run \\\n    -- b"])
        self.assertEqual(markdown.exchanges_of(two.text),
                         [["lpr <<'END'\ntext\nEND", ["printed"]], ["true", []]])

    def test_what_is_said_must_be_right_above_a_block_and_give_a_reason(self):
        for page in ("<!-- not run: why -->\ntext\n```sh\ntrue\n```", "<!-- not run:-->\n```sh\n```",
                     "```sh\ntrue\n", "<!-- with: a\n"):
            with self.assertRaises(markdown.PageError, msg=page):
                markdown.blocks_of("page", page)


class CompareTest(unittest.TestCase):
    def test_what_is_another_number_each_time_stands_for_any(self):
        for shown, printed in (
                ("worker 1 (pid 4711): ready after 31 ms", "worker 1 (pid 8): ready after 1034 ms"),
                ("2026-03-01T14:05:09.042+01:00 x", "2027-11-28T20:03:45.118Z x"),
                ("1.2%  31M x", "100% 7.1M  x"), ("0.4% 1.5G", "12%  999M"),
                ("last reload 2h11m ago: done", "last reload 0.1s ago: done"),
                ("   1    2 ready  4712", " 1 2  ready 12"), ("Hello …!", "Hello you!"),
                ("port 8000", "port 3000")):
            with self.subTest(shown):
                self.assertTrue(markdown.are_as_shown([shown], [printed]))

    def test_all_else_must_be_as_it_is_shown(self):
        for shown, printed in (("X-Slot: 1", "X-Slot: 2"), ("a.c", "abc"), ("4 workers", "5 workers"),
                               ("done", "done it"), ("", "a")):
            with self.subTest(shown):
                self.assertFalse(markdown.are_as_shown([shown], [printed]))
        self.assertFalse(markdown.are_as_shown(["a"], []))
        self.assertFalse(markdown.are_as_shown([], ["a"]))

    def test_a_line_of_dots_stands_for_any_lines_or_none(self):
        shown = ["a", "…", "b"]
        for between in ([], ["x"], ["x", "y"]):
            self.assertTrue(markdown.are_as_shown(shown, ["a", *between, "b"]))
        self.assertFalse(markdown.are_as_shown(shown, ["a", "x"]))


if __name__ == "__main__":
    unittest.main()
