// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A piece of a text that somebody else holds; not terminated.
struct uw_text {
    const char* at;
    size_t size;
};

/// How deep lists and objects may be nested in a value: in a line, which is one more, it is 64.
enum { uw_json_depth = 63 };

/// True if `text` is one value of JSON (RFC 8259) in UTF-8, with blanks around it.
bool uw_json_is_value(struct uw_text text);

/// True if `text` is UTF-8.
bool uw_is_utf8(struct uw_text text);

/// The members of an object, one after the other.
struct uw_json_members {
    struct uw_text rest; ///< the text, at first
    bool is_open;        ///< false at first
};

struct uw_json_member {
    struct uw_text name; ///< as it is written between the quotes
    struct uw_text value;
};

/// Reads the next member.  1: there is one; 0: that was the last, and the text ends behind it; -1:
/// the text is no object.
int uw_json_next_member(struct uw_json_members* members, struct uw_json_member* member);

/// Writes what the string `text`, which uw_json_next_member() has found, stands for; with its
/// quotes it is longer than that, so `to` may be where it is.  Returns the size.
size_t uw_json_unquote(struct uw_text text, char* to);

/// Reads a whole number of at most 64 bits without a sign.
bool uw_json_to_number(struct uw_text text, uint64_t* value);
