// SPDX-License-Identifier: MIT
#include "sip_hash.h"

#include <endian.h>
#include <string.h>

struct state {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t word, unsigned by)
{
    return word << by | word >> (64 - by);
}

static void mix(struct state* s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32) + s->d;
    s->c += s->b;
    s->d = rotate(s->d, 21) ^ s->a;
    s->b = rotate(s->b, 17) ^ s->c;
    s->c = rotate(s->c, 32);
}

static void take(struct state* s, uint64_t word)
{
    s->d ^= word;
    mix(s);
    s->a ^= word;
}

uint64_t uw_sip_hash(const uint64_t seed[2], struct uw_text text)
{
    struct state s = {seed[0] ^ 0x736f6d6570736575U, seed[1] ^ 0x646f72616e646f6dU,
                      seed[0] ^ 0x6c7967656e657261U, seed[1] ^ 0x7465646279746573U};
    uint64_t word = 0;
    size_t at = 0;
    for (; text.size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text.at + at, sizeof word);
        take(&s, le64toh(word));
    }
    word = 0;
    memcpy(&word, text.at + at, text.size - at);
    take(&s, le64toh(word) | (uint64_t)text.size << 56);
    s.c ^= 0xff;
    for (int i = 0; i < 3; ++i)
        mix(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}
