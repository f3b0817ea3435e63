// SPDX-License-Identifier: MIT
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int say(int control, const char* text)
{
    ssize_t sent = -1;
    do
        sent = send(control, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

enum { longest_word = 200 };

/// Fits between the quotes of a JSON string, whatever `text` is, but cut to `longest_word`.
static const char* escape(const char* text, char escaped[2 * longest_word + 1])
{
    size_t size = 0;
    for (int i = 0; i < longest_word && text[i] != '\0'; ++i) {
        const char c = text[i];
        if (c == '"' || c == '\\')
            escaped[size++] = '\\';
        escaped[size++] = (char)(c < ' ' || c > '~' ? '?' : c);
    }
    escaped[size] = '\0';
    return escaped;
}

int uw_say_hello(int control, unsigned max_batch, const char* fallback)
{
    char escaped[2 * longest_word + 1];
    char text[sizeof escaped + 80];
    snprintf(text, sizeof text,
             "{\"type\":\"hello\",\"protocol\":1,\"max_batch\":%u,\"fallback\":\"%s\"}", max_batch,
             escape(fallback, escaped));
    return say(control, text);
}

int uw_say_ready(int control)
{
    return say(control, "{\"type\":\"ready\"}");
}

int uw_say_bye(int control, const char* reason)
{
    char escaped[2 * longest_word + 1];
    char text[sizeof escaped + 40];
    snprintf(text, sizeof text, "{\"type\":\"bye\",\"reason\":\"%s\"}", escape(reason, escaped));
    return say(control, text);
}

/// A piece of a JSON text: a string with its quotes, a word or number, or one other character.
/// Empty at the end, and in place of a string that does not end.
struct token {
    const char* at;
    size_t size;
};

static bool equals(struct token token, const char* text)
{
    return token.size == strlen(text) && memcmp(token.at, text, token.size) == 0;
}

static bool is_one_of(char c, const char* set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/// Steps over the next token, and the blanks before it.
static struct token next_token(const char** at, const char* end)
{
    while (*at < end && is_one_of(**at, " \t\r\n"))
        ++*at;
    const char* const start = *at;
    if (start < end && *start == '"') {
        for (++*at; *at < end && **at != '"'; ++*at)
            if (**at == '\\' && *at + 1 < end)
                ++*at;
        *at = *at < end ? *at + 1 : start;
    } else {
        while (*at < end && !is_one_of(**at, " \t\r\n,:{}[]\""))
            ++*at;
        if (*at == start && start < end)
            ++*at;
    }
    return (struct token){start, (size_t)(*at - start)};
}

/// Steps over the rest of a list or an object that begins with `first`, to where its brackets are
/// closed again; there is none of any other value.
static bool skip_rest(struct token first, const char** at, const char* end)
{
    int depth = 0;
    for (struct token token = first; token.size > 0; token = next_token(at, end)) {
        depth += is_one_of(*token.at, "{[") - is_one_of(*token.at, "}]");
        if (depth <= 0)
            return depth == 0 && !is_one_of(*first.at, ",:");
    }
    return false;
}

/// Reads a whole number of at most 12 digits, 31 years in milliseconds.
static bool to_number(struct token token, uint64_t* value)
{
    *value = 0;
    for (size_t i = 0; i < token.size; ++i) {
        if (token.at[i] < '0' || token.at[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(token.at[i] - '0');
    }
    return token.size >= 1 && token.size <= 12;
}

bool uw_read_drain(const char* text, size_t size, uint64_t* timeout_ms)
{
    const char* const end = text + size;
    bool is_drain = false;
    bool has_timeout = false;
    struct token separator = next_token(&text, end);
    if (!equals(separator, "{"))
        return false;
    do {
        const struct token name = next_token(&text, end);
        if (name.size == 0 || *name.at != '"' || !equals(next_token(&text, end), ":"))
            return false;
        const struct token value = next_token(&text, end);
        if (!skip_rest(value, &text, end))
            return false;
        if (equals(name, "\"type\""))
            is_drain = equals(value, "\"drain\"");
        else if (equals(name, "\"timeout_ms\""))
            has_timeout = to_number(value, timeout_ms);
        separator = next_token(&text, end);
    } while (equals(separator, ","));
    return equals(separator, "}") && next_token(&text, end).size == 0 && text == end && is_drain &&
           has_timeout;
}
