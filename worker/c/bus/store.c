// SPDX-License-Identifier: MIT
#include "store.h"

#include "bus.h"
#include "worker/c/fill.h"

#include <errno.h>
#include <string.h>

int usher_store_open(struct usher_bus* bus)
{
    if (bus->is_store_asked)
        return 0;
    uw_begin(bus, "sync");
    const int result = uw_say(bus, NULL);
    bus->is_store_asked = result == 0;
    return result;
}

int usher_store_is_open(const struct usher_bus* bus)
{
    return bus->copy.is_whole;
}

size_t usher_store_count(const struct usher_bus* bus)
{
    return bus->copy.present.count;
}

static struct usher_store_value value_of(const struct uw_entry* entry)
{
    return (struct usher_store_value){.size = sizeof(struct usher_store_value),
                                      .data = uw_value_of(entry),
                                      .data_size = entry->value_size,
                                      .revision = entry->revision};
}

int uw_store_find(const struct usher_bus* bus, const char* key, size_t key_size,
                  struct usher_store_value* value)
{
    const struct uw_entry* const entry = uw_copy_find(&bus->copy, (struct uw_text){key, key_size});
    if (entry == NULL) {
        errno = ENOENT;
        return -1;
    }
    if (value != NULL) {
        const struct usher_store_value found = value_of(entry);
        uw_fill(value, value->size, &found, sizeof found);
    }
    return 0;
}

int usher_store_get(const struct usher_bus* bus, const char* key, struct usher_store_value* value)
{
    return uw_store_find(bus, key, strlen(key), value);
}

int usher_store_each(const struct usher_bus* bus, const char* prefix,
                     int (*visit)(void* context, const char* key,
                                  const struct usher_store_value* value),
                     void* context)
{
    const size_t size = strlen(prefix);
    const struct uw_table* const table = &bus->copy.present;
    for (size_t i = 0; i < table->room; ++i) {
        const struct uw_entry* const entry = table->slots[i].entry;
        if (entry == NULL || entry->key_size < size || memcmp(uw_key_of(entry), prefix, size) != 0)
            continue;
        const struct usher_store_value value = value_of(entry);
        const int result = visit(context, uw_key_of(entry), &value);
        if (result != 0)
            return result;
    }
    return 0;
}

/// Begins a change of a key.
static struct uw_output* begin(struct usher_bus* bus, const char* type, const char* key)
{
    struct uw_output* const line = uw_begin(bus, type);
    uw_add_text(line, "key", key);
    return line;
}

static void add_value(struct uw_output* line, const char* data, uint64_t ttl_ms)
{
    uw_add_json(line, "value", data);
    if (ttl_ms != 0)
        uw_add_number(line, "ttl_ms", ttl_ms);
}

int usher_store_put(struct usher_bus* bus, const char* key, const char* data, uint64_t ttl_ms,
                    uint64_t* id)
{
    add_value(begin(bus, "put", key), data, ttl_ms);
    return uw_say(bus, id);
}

int usher_store_put_if(struct usher_bus* bus, const char* key, const char* data, uint64_t ttl_ms,
                       uint64_t expected, uint64_t* id)
{
    struct uw_output* const line = begin(bus, "put", key);
    add_value(line, data, ttl_ms);
    uw_add_number(line, "expected", expected);
    return uw_say(bus, id);
}

int usher_store_erase(struct usher_bus* bus, const char* key, uint64_t* id)
{
    begin(bus, "erase", key);
    return uw_say(bus, id);
}

int usher_store_erase_if(struct usher_bus* bus, const char* key, uint64_t expected, uint64_t* id)
{
    uw_add_number(begin(bus, "erase", key), "expected", expected);
    return uw_say(bus, id);
}

int usher_store_increment(struct usher_bus* bus, const char* key, int64_t by, uint64_t ttl_ms,
                          uint64_t* id)
{
    struct uw_output* const line = begin(bus, "increment", key);
    uw_add_signed(line, "by", by);
    if (ttl_ms != 0)
        uw_add_number(line, "ttl_ms", ttl_ms);
    return uw_say(bus, id);
}
