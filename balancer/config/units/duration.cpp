// SPDX-License-Identifier: MIT
#include "balancer/config/units/duration.hpp"

#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <stdexcept>

namespace usher {

namespace {

struct DurationUnit {
    std::string_view name;
    std::chrono::milliseconds length;
};

/// Longest first.
constexpr std::array<DurationUnit, 5> duration_units{{
    {"d", std::chrono::hours{24}},
    {"h", std::chrono::hours{1}},
    {"m", std::chrono::minutes{1}},
    {"s", std::chrono::seconds{1}},
    {"ms", std::chrono::milliseconds{1}},
}};

[[noreturn]] void refuse_syntax(std::string_view text)
{
    throw std::invalid_argument{fmt::format(
        "{} is no duration: use a whole number with ms, s, m, h or d, e.g. 30s", quote(text))};
}

} // namespace

std::chrono::milliseconds parse_duration(std::string_view text)
{
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view number = text.substr(0, digits);
    const std::string_view unit = text.substr(digits);
    if (number.empty())
        refuse_syntax(text);

    if (unit.empty())
        throw std::invalid_argument{fmt::format("{} has no unit: use {}s or {}ms", quote(text),
                                                printable(text, 20), printable(text, 20))};

    const auto found = std::ranges::find(duration_units, unit, &DurationUnit::name);
    if (found == duration_units.end())
        refuse_syntax(text);

    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + digits, count);
    if (error != std::errc{} || count > longest_duration / found->length)
        throw std::invalid_argument{fmt::format("{} is too long: use at most {}", quote(text),
                                                format_duration(longest_duration))};
    return count * found->length;
}

std::string format_duration(std::chrono::milliseconds duration)
{
    using namespace std::chrono_literals;
    if (duration == 0ms)
        return "0s";

    const auto* const unit =
        std::ranges::find_if(duration_units, [&](const DurationUnit& candidate) {
            return duration % candidate.length == 0ms;
        });
    return fmt::format("{}{}", duration / unit->length, unit->name);
}

} // namespace usher
