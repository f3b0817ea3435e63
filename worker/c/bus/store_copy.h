// SPDX-License-Identifier: MIT
#pragma once

#include "worker/c/json.h"

/// A key with its value.  Both lie behind it, terminated, so that a read takes a line or two of the
/// cache.
struct uw_entry {
    uint64_t revision;
    uint32_t value_size;
    uint16_t key_size;
    bool
        is_gone; ///< in a copy that is not whole yet: erased, and so not to be set by what is older
};

static inline const char* uw_key_of(const struct uw_entry* entry)
{
    return (const char*)(entry + 1);
}

static inline const char* uw_value_of(const struct uw_entry* entry)
{
    return uw_key_of(entry) + entry->key_size + 1;
}

struct uw_slot {
    uint64_t hash;
    struct uw_entry* entry; ///< NULL: free
};

/// Open addressing; room is a power of two, or 0.
struct uw_table {
    struct uw_slot* slots;
    size_t room;
    size_t count;
};

/// This process's copy of the store: what the master has told, in its order.
struct uw_copy {
    uint64_t seed[2];         ///< nobody outside can guess which keys meet in the tables
    struct uw_table present;  ///< what is read
    struct uw_table incoming; ///< between `snapshot` and `synced`
    struct uw_table previous; ///< after `synced`, until all that differs is told
    bool is_whole;            ///< there was a `synced`
    bool is_incoming;
    bool is_differing;
    size_t looked; ///< how far the search for differences has come
    uint64_t revision;
};

void uw_copy_free(struct uw_copy* copy);

/// The entry of a key; NULL if there is none.
const struct uw_entry* uw_copy_find(const struct uw_copy* copy, struct uw_text key);

/// `snapshot`: a new copy begins, whose end replaces the present one.
void uw_copy_begin(struct uw_copy* copy);

/// `set`.  1: the present copy has changed; 0: nothing to tell; -1: out of memory, nothing is done.
int uw_copy_set(struct uw_copy* copy, struct uw_text key, struct uw_text value, uint64_t revision);

/// `erased`, likewise.
int uw_copy_erase(struct uw_copy* copy, struct uw_text key, uint64_t revision);

/// `synced`.  True if it ends a copy that has begun.
bool uw_copy_end(struct uw_copy* copy, uint64_t revision);

/// After a copy has replaced another, one after the other of the entries that differ: the new one,
/// or the old one with `is_gone` for what is not there any more.  NULL: there is no more.  Until
/// then nothing else of these may be called but uw_copy_find().
const struct uw_entry* uw_copy_next_difference(struct uw_copy* copy, bool* is_gone);
