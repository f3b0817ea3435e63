// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/store/store.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

/// How a store is written to a file: after the header batches, each of them what one append() has
/// written.  A batch has a head, with its length and a checksum, and a line for each change.
///
/// The next batch is begun once the one before is on the disk.  So of whatever a power cut leaves
/// only the last batch can be other than it was written: it is shorter, or has zeros wherever in
/// it, and counts as a whole or not at all.  Anything else means that the file is not what was
/// written.
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
inline constexpr std::string_view store_file_header = "usher-store 2\n";

/// The head and the records of a batch have no more bytes.
inline constexpr std::size_t largest_store_batch = 4UL * 1024 * 1024;

/// A change as a line.  One without a key only says how far the revisions have come.
[[nodiscard]] std::string encode_record(const Store::Change& change, const ClockPair& clocks);

/// `records` as the batch that begins at byte `at` of the file.  Elsewhere it is none, so that
/// what a disk had there before is not taken for it.
[[nodiscard]] std::string encode_batch(std::string_view records, std::uint64_t at);

/// What a file is good for.
struct StoreVerdict {
    std::size_t good_size = 0; ///< bytes; what is behind was not written to its end
    std::string problem{};     ///< why it must not be used: one clause; empty if it may
};

/// Gives `enter` all changes of `file`, in their order.
[[nodiscard]] StoreVerdict decode_file(std::string_view file, const ClockPair& clocks,
                                       const std::function<void(const Store::Change&)>& enter);

} // namespace usher
