// SPDX-License-Identifier: MIT
#include "balancer/store/store_queue.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::store_queue_test {

namespace {

void push(StoreQueue& queue, const std::string& owner, const std::string& key,
          std::size_t value_size = 1)
{
    queue.push({.command = {.key = key, .value = std::string(value_size, '1'), .owner = owner},
                .done = {}});
}

/// Keys in the order in which they are taken, joined by blanks.
std::string drain(StoreQueue& queue)
{
    std::string keys;
    while (!queue.is_empty())
        keys += (keys.empty() ? "" : " ") + queue.pop().command.key;
    return keys;
}

} // namespace

TEST_SUITE_BEGIN("store_queue");

TEST_CASE("each member's changes stay in their order, and members are in turn")
{
    StoreQueue queue;
    CHECK(queue.is_empty());
    for (const auto* key : {"a1", "a2", "a3", "a4"})
        push(queue, "a", key);
    push(queue, "b", "b1");
    push(queue, "b", "b2");
    push(queue, "c", "c1");
    CHECK(drain(queue) == "a1 b1 c1 a2 b2 a3 a4");
}

TEST_CASE("who comes later is next in turn, however much another has waiting")
{
    StoreQueue queue;
    for (int i = 0; i < 1'000; ++i)
        push(queue, "a", "a");
    CHECK(queue.pop().command.key == "a");
    push(queue, "b", "b");
    CHECK(queue.pop().command.key == "a");
    CHECK(queue.pop().command.key == "b");
}

TEST_CASE("one that floods has no more room, and others have theirs")
{
    StoreQueue queue;
    while (queue.has_room("a"))
        push(queue, "a", "k");
    CHECK(queue.has_room("b"));
    std::size_t count = 0;
    while (!queue.is_empty()) {
        static_cast<void>(queue.pop());
        ++count;
        CHECK(queue.has_room("a"));
    }
    CHECK(count == StoreQueue::most_changes);
    while (queue.has_room("b"))
        push(queue, "b", "k", 60'000);
    push(queue, "a", "k");
    count = 0;
    while (!queue.is_empty())
        count += queue.pop().command.owner == "b" ? 60'000 : 0;
    CHECK(count >= StoreQueue::most_bytes - 100'000);
    CHECK(count <= StoreQueue::most_bytes + 60'000);
}

TEST_CASE("cleared it begins anew")
{
    StoreQueue queue;
    push(queue, "a", "a");
    queue.clear();
    CHECK(queue.is_empty());
    push(queue, "a", "b");
    CHECK(drain(queue) == "b");
}

TEST_SUITE_END();

} // namespace usher::store_queue_test
