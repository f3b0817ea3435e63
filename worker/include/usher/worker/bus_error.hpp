// SPDX-License-Identifier: MIT
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/is_error_code_enum.hpp>

#include <system_error>
#include <type_traits>

namespace usher::worker {

/// Why the master says no; see the codes in docs/worker-protocol.md.
enum class BusError {
    unknown = 1, ///< a code of a later version
    bad_line,
    too_long,
    bad_member,
    forbidden,    ///< a topic of the master's
    too_many,     ///< patterns, or requests under way
    conflict,     ///< the key has another revision than was expected
    full,         ///< the store is
    not_a_number, ///< what was to be incremented
    disk,         ///< the change could not be made to persist
};

/// What the master calls `code`.
[[nodiscard]] BusError bus_error_of(const char* code) noexcept;

[[nodiscard]] const std::error_category& bus_category() noexcept;

[[nodiscard]] inline boost::system::error_code make_error_code(BusError error) noexcept
{
    return std::error_code{static_cast<int>(error), bus_category()};
}

} // namespace usher::worker

template <>
struct boost::system::is_error_code_enum<usher::worker::BusError> : std::true_type {
};
