// SPDX-License-Identifier: MIT
//
// Whatever the bytes of a store's file, it is refused, or what counts of it says the same when it
// is written anew; and a store takes it.
#include "balancer/store/store_record.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace usher;
using namespace usher::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const ClockPair clocks{.steady = Store::Clock::time_point{std::chrono::hours{1}},
                           .wall = std::chrono::system_clock::time_point{std::chrono::hours{1}}};
    const auto text = text_of(data, size);
    std::vector<Store::Change> changes;
    const auto verdict =
        decode_file(text, clocks, [&](const Store::Change& change) { changes.push_back(change); });
    require(verdict.good_size <= text.size());
    if (!verdict.problem.empty())
        return 0;
    Store::Content content;
    std::string records;
    for (const auto& change : changes) {
        content.restore(change);
        records += encode_record(change, clocks);
    }
    Store store{StoreConfig{}};
    store.adopt(std::move(content));
    std::string again{store_file_header};
    again += encode_batch(records, again.size());
    std::size_t count = 0;
    const auto same = decode_file(again, clocks, [&](const Store::Change& change) {
        require(count < changes.size());
        const auto& first = changes[count++];
        require(change.key == first.key);
        require(change.revision == first.revision);
        require(change.entry.has_value() == first.entry.has_value());
        if (change.entry)
            require(*change.entry->value == *first.entry->value);
    });
    require(same.problem.empty() && same.good_size == again.size());
    require(count == changes.size());
    return 0;
}
