// SPDX-License-Identifier: MIT
#include "drain_message.h"

#include <string.h>

/// The rest of a JSON text.
struct cursor {
    const char* at;
    const char* end;
};

/// A piece of the text.
struct piece {
    const char* at;
    size_t size;
};

static bool equals(struct piece piece, const char* text)
{
    return piece.size == strlen(text) && memcmp(piece.at, text, piece.size) == 0;
}

static bool is_one_of(char c, const char* set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void skip_blanks(struct cursor* c)
{
    while (c->at < c->end && is_one_of(*c->at, " \t\r\n"))
        ++c->at;
}

/// Steps over `wanted`, and the blanks before it.
static bool skip_char(struct cursor* c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    ++c->at;
    return true;
}

/// Reads a string; `piece` is what stands between its quotes, escapes as they are.
static bool read_string(struct cursor* c, struct piece* piece)
{
    if (!skip_char(c, '"'))
        return false;
    piece->at = c->at;
    for (; c->at < c->end; ++c->at) {
        if (*c->at == '"') {
            piece->size = (size_t)(c->at++ - piece->at);
            return true;
        }
        if (*c->at == '\\' && ++c->at == c->end)
            return false;
    }
    return false;
}

/// Reads a number or a word: what goes up to the next separator.
static bool read_word(struct cursor* c, struct piece* piece)
{
    skip_blanks(c);
    piece->at = c->at;
    while (c->at < c->end && !is_one_of(*c->at, " \t\r\n,:{}[]\""))
        ++c->at;
    piece->size = (size_t)(c->at - piece->at);
    return piece->size > 0;
}

/// Steps over a value; lists and objects to where their brackets are closed again.
static bool skip_value(struct cursor* c)
{
    int depth = 0;
    do {
        struct piece ignored;
        skip_blanks(c);
        if (c->at == c->end)
            return false;
        if (*c->at == '"') {
            if (!read_string(c, &ignored))
                return false;
        } else if (!read_word(c, &ignored)) {
            depth += is_one_of(*c->at, "{[") - is_one_of(*c->at, "}]");
            ++c->at;
            if (depth <= 0 && !is_one_of(c->at[-1], "}]"))
                return false; // a separator where a value should be
        }
    } while (depth > 0);
    return depth == 0;
}

/// Reads a whole number of at most 12 digits, 31 years in milliseconds.
static bool to_number(struct piece piece, uint64_t* value)
{
    *value = 0;
    for (size_t i = 0; i < piece.size; ++i) {
        if (piece.at[i] < '0' || piece.at[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(piece.at[i] - '0');
    }
    return piece.size >= 1 && piece.size <= 12;
}

bool uw_read_drain(const char* text, size_t size, uint64_t* timeout_ms)
{
    struct cursor c = {text, text + size};
    bool is_drain = false;
    bool has_timeout = false;
    if (!skip_char(&c, '{'))
        return false;
    do {
        struct piece name;
        if (!read_string(&c, &name) || !skip_char(&c, ':'))
            return false;
        skip_blanks(&c);
        const char* const start = c.at;
        if (!skip_value(&c))
            return false;
        const struct piece value = {start, (size_t)(c.at - start)};
        if (equals(name, "type"))
            is_drain = equals(value, "\"drain\"");
        else if (equals(name, "timeout_ms"))
            has_timeout = to_number(value, timeout_ms);
    } while (skip_char(&c, ','));
    const bool is_object = skip_char(&c, '}');
    skip_blanks(&c);
    return is_object && c.at == c.end && is_drain && has_timeout;
}
