// SPDX-License-Identifier: MIT
#include "usher/worker/bus_error.hpp"

#include <array>
#include <string>
#include <string_view>

namespace usher::worker {

namespace {

struct Known {
    BusError error;
    std::string_view code;
    std::string_view sentence;
};

constexpr std::array known{
    Known{BusError::unknown, "", "the master says no for a reason that is not known here"},
    Known{BusError::bad_line, "bad-line", "the line is no message"},
    Known{BusError::too_long, "too-long", "the message is too long"},
    Known{BusError::bad_member, "bad-member", "a member of the message is not as it must be"},
    Known{BusError::forbidden, "forbidden", "the topic is the master's"},
    Known{BusError::too_many, "too-many", "there are too many patterns or requests"},
    Known{BusError::conflict, "conflict", "the key has another revision"},
    Known{BusError::full, "full", "the store is full"},
    Known{BusError::not_a_number, "not-a-number", "the value is no whole number"},
    Known{BusError::disk, "disk", "the change could not be made to persist"},
};

class Category final : public std::error_category {
public:
    const char* name() const noexcept override { return "usher.bus"; }

    std::string message(int value) const override
    {
        for (const auto& each : known)
            if (each.error == static_cast<BusError>(value))
                return std::string{each.sentence};
        return "no error of the bus";
    }
};

} // namespace

BusError bus_error_of(const char* code) noexcept
{
    for (const auto& each : known)
        if (code == each.code)
            return each.error;
    return BusError::unknown;
}

const std::error_category& bus_category() noexcept
{
    static const Category category;
    return category;
}

} // namespace usher::worker
