// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/store/store.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// How a store is written to a file: a line for each change, with a checksum before it.  A line
/// that was not written to its end is no change; one that is damaged with others behind it means
/// that the file is not what was written.
namespace usher {

/// Two clocks at one moment.  A file knows wall-clock times, since it survives the machine's boot.
struct ClockPair {
    Store::Clock::time_point steady;
    std::chrono::system_clock::time_point wall;

    [[nodiscard]] static ClockPair now()
    {
        return {.steady = Store::Clock::now(), .wall = std::chrono::system_clock::now()};
    }
};

/// The first line of each file.
inline constexpr std::string_view store_file_header = "usher-store 1\n";

/// A change without a key only says how far the revisions have come.
[[nodiscard]] std::string encode_record(const Store::Change& change, const ClockPair& clocks);

/// What a file says.
struct StoreRecords {
    std::vector<Store::Change> changes{};
    std::size_t good_size = 0; ///< bytes; what is behind was not written to its end
    std::string problem{};     ///< why it must not be used: one clause; empty if it may
};

[[nodiscard]] StoreRecords decode_records(std::string_view file, const ClockPair& clocks);

} // namespace usher
