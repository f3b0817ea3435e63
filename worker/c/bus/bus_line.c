// SPDX-License-Identifier: MIT
#include "bus_line.h"

#include <string.h>

enum uw_form { form_text, form_number, form_flag, form_json };

/// The members that are read, and into which place of struct uw_line.  Of the types that there are
/// none has two for one place.
enum uw_member {
    type,
    id,
    topic,
    from,
    data,
    key,
    value,
    revision,
    keys,
    expired,
    is,
    count,
    replies,
    missing,
    receivers,
    code,
    reason,
    error,
    timeout_ms,
    member_count
};

static const struct {
    const char* name;
    enum uw_form form;
    size_t place;
} members[member_count] = {
    [type] = {"type", form_text, 0}, // read apart
    [id] = {"id", form_number, offsetof(struct uw_line, id)},
    [topic] = {"topic", form_text, offsetof(struct uw_line, topic)},
    [from] = {"from", form_text, offsetof(struct uw_line, from)},
    [data] = {"data", form_json, offsetof(struct uw_line, data)},
    [key] = {"key", form_text, offsetof(struct uw_line, key)},
    [value] = {"value", form_json, offsetof(struct uw_line, data)},
    [revision] = {"revision", form_number, offsetof(struct uw_line, revision)},
    [keys] = {"keys", form_number, offsetof(struct uw_line, count)},
    [expired] = {"expired", form_flag, offsetof(struct uw_line, flag)},
    [is] = {"is", form_flag, offsetof(struct uw_line, flag)},
    [count] = {"count", form_number, offsetof(struct uw_line, count)},
    [replies] = {"replies", form_number, offsetof(struct uw_line, count)},
    [missing] = {"missing", form_json, offsetof(struct uw_line, data)},
    [receivers] = {"receivers", form_number, offsetof(struct uw_line, count)},
    [code] = {"code", form_text, offsetof(struct uw_line, code)},
    [reason] = {"reason", form_text, offsetof(struct uw_line, reason)},
    [error] = {"error", form_text, offsetof(struct uw_line, reason)},
    [timeout_ms] = {"timeout_ms", form_number, offsetof(struct uw_line, timeout_ms)},
};

enum { longest_list = 7 };

/// The types, their members, and how many of these, from the first on, must be there.
static const struct {
    const char* name;
    int kind;
    unsigned needed;
    enum uw_member members[longest_list]; ///< up to `type`, which is everybody's
} types[] = {
    {"message", USHER_BUS_MESSAGE, 2, {from, data, topic}},
    {"request", USHER_BUS_REQUEST, 3, {id, from, data, topic, timeout_ms}},
    {"reply", USHER_BUS_REPLY, 2, {id, from, data, error}},
    {"done", USHER_BUS_DONE, 2, {id, replies, missing}},
    {"ok", USHER_BUS_OK, 1, {id, revision, value, receivers}},
    {"error", USHER_BUS_ERROR, 1, {code, id, reason, revision}},
    {"lost", USHER_BUS_LOST, 1, {count}},
    {"leader", USHER_BUS_LEADER, 1, {is}},
    {"welcome", uw_line_welcome, 0, {type}},
    {"snapshot", uw_line_snapshot, 0, {revision, keys}},
    {"set", USHER_BUS_SET, 3, {key, value, revision}},
    {"erased", USHER_BUS_ERASED, 2, {key, revision, expired}},
    {"synced", USHER_BUS_SYNCED, 1, {revision}},
};

static bool equals(struct uw_text text, const char* word)
{
    return text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

static bool is_string(struct uw_text json)
{
    return json.size > 0 && *json.at == '"';
}

/// Finds all members that have a name here; of several of one name the last counts.
static int find_members(struct uw_text text, struct uw_text found[member_count])
{
    struct uw_json_members rest = {.rest = text};
    struct uw_json_member member;
    int result;
    while ((result = uw_json_next_member(&rest, &member)) > 0)
        for (int i = 0; i < member_count; ++i)
            if (equals(member.name, members[i].name))
                found[i] = member.value;
    return result;
}

static bool read_flag(struct uw_text json, int* flag)
{
    *flag = equals(json, "true");
    return *flag || equals(json, "false");
}

static bool read_value(enum uw_member member, struct uw_text json, struct uw_line* line)
{
    void* const place = (char*)line + members[member].place;
    switch (members[member].form) {
    case form_number:
        // An error has the id null if none could be read, and what another process of this worker
        // has said may have a string.
        return uw_json_to_number(json, place) ||
               (member == id && (equals(json, "null") || is_string(json)));
    case form_flag:
        return read_flag(json, place);
    case form_text:
        if (!is_string(json))
            return false;
        break;
    case form_json:
        break;
    }
    *(struct uw_text*)place = json;
    return true;
}

int uw_read_line(struct uw_text text, struct uw_line* line)
{
    struct uw_text found[member_count] = {{0}};
    if (find_members(text, found) < 0 || !is_string(found[type]))
        return -1;
    const struct uw_text name = {found[type].at + 1, found[type].size - 2};

    *line = (struct uw_line){0};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; ++i) {
        if (!equals(name, types[i].name))
            continue;
        line->kind = types[i].kind;
        for (unsigned j = 0; j < longest_list && types[i].members[j] != type; ++j) {
            const enum uw_member member = types[i].members[j];
            if (found[member].size == 0 ? j < types[i].needed
                                        : !read_value(member, found[member], line))
                return -1;
        }
        return 1;
    }
    return 0;
}
