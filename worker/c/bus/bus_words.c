// SPDX-License-Identifier: MIT
//
// What a worker says on the bus.
#include "bus.h"
#include "worker/c/fill.h"

int usher_bus_publish(struct usher_bus* bus, const char* topic, const char* data, uint64_t* id)
{
    struct uw_output* const line = uw_begin(bus, "publish");
    uw_add_text(line, "topic", topic);
    uw_add_json(line, "data", data);
    return uw_say(bus, id);
}

static void add_target(struct uw_output* line, const char* pool, unsigned slot)
{
    uw_add_text(line, "pool", pool);
    if (slot != 0)
        uw_add_number(line, "slot", slot);
}

int usher_bus_send(struct usher_bus* bus, const char* pool, unsigned slot, const char* topic,
                   const char* data, uint64_t* id)
{
    struct uw_output* const line = uw_begin(bus, "send");
    add_target(line, pool, slot);
    uw_add_text(line, "topic", topic);
    uw_add_json(line, "data", data);
    return uw_say(bus, id);
}

int usher_bus_request(struct usher_bus* bus, const char* topic, const char* data,
                      const struct usher_bus_question* question, uint64_t* id)
{
    struct usher_bus_question known = USHER_BUS_QUESTION_INIT;
    if (question != NULL)
        uw_fill(&known, sizeof known, question,
                question->size < sizeof known ? question->size : sizeof known);
    struct uw_output* const line = uw_begin(bus, "request");
    add_target(line, known.pool, known.slot);
    if (known.timeout_ms != 0)
        uw_add_number(line, "timeout_ms", known.timeout_ms);
    if (known.max != 0)
        uw_add_number(line, "max", known.max);
    uw_add_text(line, "topic", topic);
    uw_add_json(line, "data", data);
    return uw_say(bus, id);
}

int usher_bus_reply(struct usher_bus* bus, uint64_t id, const char* data)
{
    struct uw_output* const line = uw_begin(bus, "reply");
    uw_add_number(line, "id", id);
    uw_add_json(line, "data", data);
    return uw_say(bus, NULL);
}

int usher_bus_fail(struct usher_bus* bus, uint64_t id, const char* reason)
{
    struct uw_output* const line = uw_begin(bus, "reply");
    uw_add_number(line, "id", id);
    uw_add_text(line, "error", reason);
    return uw_say(bus, NULL);
}

static int say_pattern(struct usher_bus* bus, const char* type, const char* pattern, uint64_t* id)
{
    uw_add_text(uw_begin(bus, type), "pattern", pattern);
    return uw_say(bus, id);
}

int usher_bus_subscribe(struct usher_bus* bus, const char* pattern, uint64_t* id)
{
    return say_pattern(bus, "subscribe", pattern, id);
}

int usher_bus_unsubscribe(struct usher_bus* bus, const char* pattern, uint64_t* id)
{
    return say_pattern(bus, "unsubscribe", pattern, id);
}

int usher_bus_campaign(struct usher_bus* bus)
{
    uw_begin(bus, "campaign");
    return uw_say(bus, NULL);
}

int usher_bus_resign(struct usher_bus* bus)
{
    uw_add_number(uw_begin(bus, "resign"), "id", uw_resigning | (bus->resigned + 1));
    const int result = uw_say(bus, NULL);
    if (result == 0) {
        ++bus->resigned;
        bus->is_leader = false;
    }
    return result;
}
