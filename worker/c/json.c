// SPDX-License-Identifier: MIT
#include "json.h"

#include <string.h>

/// What is still to be read.
struct cursor {
    const char* at;
    const char* end;
};

static int peek(const struct cursor* cursor)
{
    return cursor->at < cursor->end ? (unsigned char)*cursor->at : -1;
}

static bool skip(struct cursor* cursor, char c)
{
    if (peek(cursor) != c)
        return false;
    ++cursor->at;
    return true;
}

static void skip_blanks(struct cursor* cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' ||
                                        *cursor->at == '\n' || *cursor->at == '\r'))
        ++cursor->at;
}

static bool skip_word(struct cursor* cursor, const char* word)
{
    const size_t size = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < size || memcmp(cursor->at, word, size) != 0)
        return false;
    cursor->at += size;
    return true;
}

static bool is_between(int c, int first, int last)
{
    return c >= first && c <= last;
}

static bool skip_digits(struct cursor* cursor)
{
    const char* const start = cursor->at;
    while (is_between(peek(cursor), '0', '9'))
        ++cursor->at;
    return cursor->at > start;
}

static bool skip_number(struct cursor* cursor)
{
    skip(cursor, '-');
    if (!skip(cursor, '0') && !skip_digits(cursor))
        return false;
    if (skip(cursor, '.') && !skip_digits(cursor))
        return false;
    if (skip(cursor, 'e') || skip(cursor, 'E')) {
        if (!skip(cursor, '+'))
            skip(cursor, '-');
        return skip_digits(cursor);
    }
    return true;
}

/// Steps over one character beyond ASCII: no longer form than needed, no surrogate, no more than
/// there are.
static bool skip_utf8(struct cursor* cursor)
{
    const int first = peek(cursor);
    const int count = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (!is_between(first, 0xc2, 0xf4))
        return false;
    ++cursor->at;
    for (int i = 0; i < count; ++i, ++cursor->at) {
        const int least = i > 0 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const int most = i > 0 ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (!is_between(peek(cursor), least, most))
            return false;
    }
    return true;
}

static int digit_of(int c)
{
    if (is_between(c, '0', '9'))
        return c - '0';
    c |= 0x20;
    return is_between(c, 'a', 'f') ? c - 'a' + 10 : -1;
}

/// Steps over four hexadecimal digits; -1 if there are not so many.
static int skip_hex(struct cursor* cursor)
{
    int value = 0;
    for (int i = 0; i < 4; ++i, ++cursor->at) {
        const int digit = digit_of(peek(cursor));
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool is_high_surrogate(int value)
{
    return is_between(value, 0xd800, 0xdbff);
}

static bool is_low_surrogate(int value)
{
    return is_between(value, 0xdc00, 0xdfff);
}

/// Steps over what follows a backslash: its character, or -1.
static int skip_escape(struct cursor* cursor)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const int name = peek(cursor);
    const char* const found = name > 0 ? strchr(names, name) : NULL;
    if (found != NULL) {
        ++cursor->at;
        return (unsigned char)meanings[found - names];
    }
    if (!skip(cursor, 'u'))
        return -1;
    const int high = skip_hex(cursor);
    if (!is_high_surrogate(high))
        return is_low_surrogate(high) ? -1 : high;
    const int low = skip_word(cursor, "\\u") ? skip_hex(cursor) : -1;
    return is_low_surrogate(low) ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : -1;
}

static bool skip_string(struct cursor* cursor)
{
    if (!skip(cursor, '"'))
        return false;
    for (;;) {
        const int c = peek(cursor);
        if (c < ' ') // the end, too
            return false;
        if (c >= 0x80) {
            if (!skip_utf8(cursor))
                return false;
            continue;
        }
        ++cursor->at;
        if (c == '"')
            return true;
        if (c == '\\' && skip_escape(cursor) < 0)
            return false;
    }
}

static bool skip_scalar(struct cursor* cursor)
{
    switch (peek(cursor)) {
    case '"':
        return skip_string(cursor);
    case 't':
        return skip_word(cursor, "true");
    case 'f':
        return skip_word(cursor, "false");
    case 'n':
        return skip_word(cursor, "null");
    default:
        return skip_number(cursor);
    }
}

/// A member's name, and the colon.
static bool skip_name(struct cursor* cursor)
{
    skip_blanks(cursor);
    if (!skip_string(cursor))
        return false;
    skip_blanks(cursor);
    return skip(cursor, ':');
}

/// What closes each of the lists and objects that are open.
struct brackets {
    char closing[uw_json_depth];
    size_t depth;
};

/// Steps into a list or an object, before its first element, or over any other value.  `is_inside`:
/// an element must follow.
static bool begin_value(struct cursor* cursor, struct brackets* brackets, bool* is_inside)
{
    skip_blanks(cursor);
    const int first = peek(cursor);
    *is_inside = false;
    if (first != '{' && first != '[')
        return skip_scalar(cursor);
    if (brackets->depth == uw_json_depth)
        return false;
    const char closing = first == '{' ? '}' : ']';
    ++cursor->at;
    skip_blanks(cursor);
    if (skip(cursor, closing))
        return true;
    brackets->closing[brackets->depth++] = closing;
    *is_inside = true;
    return first == '[' || skip_name(cursor);
}

/// Steps behind a value: over what closes, up to the next element, or to the end of the outermost.
static bool end_value(struct cursor* cursor, struct brackets* brackets)
{
    while (brackets->depth > 0) {
        const char closing = brackets->closing[brackets->depth - 1];
        skip_blanks(cursor);
        if (skip(cursor, ','))
            return closing == ']' || skip_name(cursor);
        if (!skip(cursor, closing))
            return false;
        --brackets->depth;
    }
    return true;
}

/// Steps over a value and the blanks before it.
static bool skip_value(struct cursor* cursor)
{
    struct brackets brackets;
    brackets.depth = 0;
    do {
        bool is_inside = false;
        if (!begin_value(cursor, &brackets, &is_inside))
            return false;
        if (!is_inside && !end_value(cursor, &brackets))
            return false;
    } while (brackets.depth > 0);
    return true;
}

static struct cursor cursor_of(struct uw_text text)
{
    return (struct cursor){text.at, text.at + text.size};
}

bool uw_json_is_value(struct uw_text text)
{
    struct cursor cursor = cursor_of(text);
    if (!skip_value(&cursor))
        return false;
    skip_blanks(&cursor);
    return cursor.at == cursor.end;
}

bool uw_is_utf8(struct uw_text text)
{
    struct cursor cursor = cursor_of(text);
    while (cursor.at < cursor.end)
        if (is_between(peek(&cursor), 0, 0x7f))
            ++cursor.at;
        else if (!skip_utf8(&cursor))
            return false;
    return true;
}

static struct uw_text between(const char* from, const char* to)
{
    return (struct uw_text){from, (size_t)(to - from)};
}

/// Reads `"name": value`.
static bool read_member(struct cursor* cursor, struct uw_json_member* member)
{
    skip_blanks(cursor);
    const char* start = cursor->at;
    if (!skip_string(cursor))
        return false;
    member->name = between(start + 1, cursor->at - 1);
    skip_blanks(cursor);
    if (!skip(cursor, ':'))
        return false;
    skip_blanks(cursor);
    start = cursor->at;
    if (!skip_value(cursor))
        return false;
    member->value = between(start, cursor->at);
    return true;
}

int uw_json_next_member(struct uw_json_members* members, struct uw_json_member* member)
{
    struct cursor cursor = cursor_of(members->rest);
    skip_blanks(&cursor);
    const bool is_first = !members->is_open;
    if (is_first && !skip(&cursor, '{'))
        return -1;
    members->is_open = true;
    skip_blanks(&cursor);
    if (skip(&cursor, '}')) {
        skip_blanks(&cursor);
        return cursor.at == cursor.end ? 0 : -1;
    }
    if ((!is_first && !skip(&cursor, ',')) || !read_member(&cursor, member))
        return -1;
    members->rest = between(cursor.at, cursor.end);
    return 1;
}

/// Writes a character in UTF-8; returns its end.
static char* put_utf8(char* to, int c)
{
    static const struct {
        int most;
        int mark;
    } forms[] = {{0x7f, 0}, {0x7ff, 0xc0}, {0xffff, 0xe0}, {0x10ffff, 0xf0}};
    int more = 0;
    while (c > forms[more].most)
        ++more;
    *to++ = (char)(forms[more].mark | (c >> (6 * more)));
    while (more-- > 0)
        *to++ = (char)(0x80 | ((c >> (6 * more)) & 0x3f));
    return to;
}

size_t uw_json_unquote(struct uw_text text, char* to)
{
    struct cursor cursor = {text.at + 1, text.at + text.size - 1};
    char* end = to;
    while (cursor.at < cursor.end) {
        if (skip(&cursor, '\\'))
            end = put_utf8(end, skip_escape(&cursor)); // never longer than the escape
        else
            *end++ = *cursor.at++;
    }
    return (size_t)(end - to);
}

bool uw_json_to_number(struct uw_text text, uint64_t* value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < text.size; ++i) {
        if (!is_between(text.at[i], '0', '9'))
            return false;
        const uint64_t digit = (uint64_t)(text.at[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return text.size > 0;
}
