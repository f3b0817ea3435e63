// SPDX-License-Identifier: MIT
#include "store_copy.h"

#include "sip_hash.h"

#include <stdlib.h>
#include <string.h>

enum { least_room = 16 };

static void free_table(struct uw_table* table)
{
    for (size_t i = 0; i < table->room; ++i)
        free(table->slots[i].entry);
    free(table->slots);
    *table = (struct uw_table){0};
}

void uw_copy_free(struct uw_copy* copy)
{
    free_table(&copy->present);
    free_table(&copy->incoming);
    free_table(&copy->previous);
}

static struct uw_text key_of(const struct uw_entry* entry)
{
    return (struct uw_text){uw_key_of(entry), entry->key_size};
}

/// The slot that has the key, or the free one that is next to have it.  Of a table that has room.
static struct uw_slot* find_slot(const struct uw_table* table, uint64_t hash, struct uw_text key)
{
    const size_t mask = table->room - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct uw_slot* const slot = &table->slots[i];
        if (slot->entry == NULL || (slot->hash == hash && slot->entry->key_size == key.size &&
                                    memcmp(uw_key_of(slot->entry), key.at, key.size) == 0))
            return slot;
    }
}

static const struct uw_entry* find(const struct uw_table* table, uint64_t hash, struct uw_text key)
{
    return table->count > 0 ? find_slot(table, hash, key)->entry : NULL;
}

/// Sees to it that there is room for one more, and that never more than three of four slots are
/// taken.
static bool grow(struct uw_table* table)
{
    if ((table->count + 1) * 4 <= table->room * 3)
        return true;
    struct uw_table larger = {.room = table->room > 0 ? table->room * 2 : least_room,
                              .count = table->count};
    if ((larger.slots = calloc(larger.room, sizeof *larger.slots)) == NULL)
        return false;
    for (size_t i = 0; i < table->room; ++i)
        if (table->slots[i].entry != NULL)
            *find_slot(&larger, table->slots[i].hash, key_of(table->slots[i].entry)) =
                table->slots[i];
    free(table->slots);
    *table = larger;
    return true;
}

static struct uw_entry* make_entry(struct uw_text key, struct uw_text value, uint64_t revision)
{
    struct uw_entry* const entry = malloc(sizeof *entry + key.size + value.size + 2);
    if (entry == NULL)
        return NULL;
    *entry = (struct uw_entry){
        .revision = revision, .value_size = (uint32_t)value.size, .key_size = (uint16_t)key.size};
    char* const texts = (char*)(entry + 1);
    memcpy(texts, key.at, key.size);
    texts[key.size] = '\0';
    memcpy(texts + key.size + 1, value.at, value.size);
    texts[key.size + 1 + value.size] = '\0';
    return entry;
}

/// -1: out of memory; 0: what is there is as new; 1: done.
static int put(struct uw_table* table, uint64_t hash, struct uw_text key, struct uw_text value,
               uint64_t revision)
{
    if (!grow(table))
        return -1;
    struct uw_slot* const slot = find_slot(table, hash, key);
    if (slot->entry != NULL && slot->entry->revision >= revision)
        return 0;
    struct uw_entry* const entry = make_entry(key, value, revision);
    if (entry == NULL)
        return -1;
    table->count += slot->entry == NULL ? 1 : 0;
    free(slot->entry);
    *slot = (struct uw_slot){hash, entry};
    return 1;
}

/// Frees a slot, and moves up what was put behind it because it was taken.
static void clear(struct uw_table* table, struct uw_slot* slot)
{
    const size_t mask = table->room - 1;
    size_t hole = (size_t)(slot - table->slots);
    free(slot->entry);
    for (size_t i = (hole + 1) & mask; table->slots[i].entry != NULL; i = (i + 1) & mask) {
        const size_t home = table->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole].entry = NULL;
    --table->count;
}

const struct uw_entry* uw_copy_find(const struct uw_copy* copy, struct uw_text key)
{
    return copy->present.count > 0 ? find(&copy->present, uw_sip_hash(copy->seed, key), key) : NULL;
}

void uw_copy_begin(struct uw_copy* copy)
{
    free_table(&copy->incoming); // of a copy that was begun and never ended
    copy->is_incoming = true;
}

int uw_copy_set(struct uw_copy* copy, struct uw_text key, struct uw_text value, uint64_t revision)
{
    if (!copy->is_whole && !copy->is_incoming)
        return 0;
    struct uw_table* const table = copy->is_incoming ? &copy->incoming : &copy->present;
    const int result = put(table, uw_sip_hash(copy->seed, key), key, value, revision);
    if (result > 0 && !copy->is_incoming && revision > copy->revision)
        copy->revision = revision;
    return copy->is_incoming && result > 0 ? 0 : result;
}

/// What is erased while a copy comes may be in what is still to come of it.
static int erase_incoming(struct uw_copy* copy, uint64_t hash, struct uw_text key,
                          uint64_t revision)
{
    const int result = put(&copy->incoming, hash, key, (struct uw_text){"", 0}, revision);
    if (result > 0)
        find_slot(&copy->incoming, hash, key)->entry->is_gone = true;
    return result < 0 ? -1 : 0;
}

int uw_copy_erase(struct uw_copy* copy, struct uw_text key, uint64_t revision)
{
    const uint64_t hash = uw_sip_hash(copy->seed, key);
    if (copy->is_incoming)
        return erase_incoming(copy, hash, key, revision);
    if (copy->is_whole && revision > copy->revision)
        copy->revision = revision;
    const struct uw_entry* const entry = find(&copy->present, hash, key);
    if (entry == NULL || entry->revision >= revision)
        return 0;
    clear(&copy->present, find_slot(&copy->present, hash, key));
    return 1;
}

bool uw_copy_end(struct uw_copy* copy, uint64_t revision)
{
    if (!copy->is_incoming)
        return false;
    for (size_t i = 0; i < copy->incoming.room;) {
        struct uw_slot* const slot = &copy->incoming.slots[i];
        if (slot->entry != NULL && slot->entry->is_gone)
            clear(&copy->incoming, slot); // another may take its place
        else
            ++i;
    }
    copy->previous = copy->present;
    copy->present = copy->incoming;
    copy->incoming = (struct uw_table){0};
    copy->is_incoming = false;
    copy->is_differing = copy->is_whole;
    copy->is_whole = true;
    copy->looked = 0;
    copy->revision = revision;
    return true;
}

/// The entry of slot `i` if the other table has not the same.
static const struct uw_entry* difference(const struct uw_table* table, size_t i,
                                         const struct uw_table* other, bool is_gone)
{
    const struct uw_entry* const entry = table->slots[i].entry;
    if (entry == NULL)
        return NULL;
    const struct uw_entry* const same = find(other, table->slots[i].hash, key_of(entry));
    return same == NULL || (!is_gone && same->revision != entry->revision) ? entry : NULL;
}

const struct uw_entry* uw_copy_next_difference(struct uw_copy* copy, bool* is_gone)
{
    const size_t room = copy->present.room;
    while (copy->is_differing && copy->looked < room + copy->previous.room) {
        const size_t i = copy->looked++;
        *is_gone = i >= room;
        const struct uw_entry* const found =
            *is_gone ? difference(&copy->previous, i - room, &copy->present, true)
                     : difference(&copy->present, i, &copy->previous, false);
        if (found != NULL)
            return found;
    }
    copy->is_differing = false;
    free_table(&copy->previous);
    return NULL;
}
