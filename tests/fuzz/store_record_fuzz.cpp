// SPDX-License-Identifier: MIT
//
// Whatever the bytes of a store's file, it is refused, or what counts of it says the same when it
// is written anew; and a store takes it.
#include "balancer/store/store_record.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

using namespace usher;
using namespace usher::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const ClockPair clocks{.steady = Store::Clock::time_point{std::chrono::hours{1}},
                           .wall = std::chrono::system_clock::time_point{std::chrono::hours{1}}};
    const auto text = text_of(data, size);
    const auto records = decode_records(text, clocks);
    require(records.good_size <= text.size());
    if (!records.problem.empty())
        return 0;
    Store store{StoreConfig{}};
    std::string again{store_file_header};
    for (const auto& change : records.changes) {
        store.restore(change);
        again += encode_record(change, clocks);
    }
    const auto same = decode_records(again, clocks);
    require(same.problem.empty() && same.good_size == again.size());
    require(same.changes.size() == records.changes.size());
    for (std::size_t i = 0; i < same.changes.size(); ++i) {
        require(same.changes[i].key == records.changes[i].key);
        require(same.changes[i].revision == records.changes[i].revision);
        require(same.changes[i].entry.has_value() == records.changes[i].entry.has_value());
        if (same.changes[i].entry)
            require(*same.changes[i].entry->value == *records.changes[i].entry->value);
    }
    return 0;
}
