// SPDX-License-Identifier: MIT
#include "balancer/config/units/byte_size.hpp"

#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

namespace usher {

namespace {

constexpr std::uint64_t largest_byte_size = 1ULL << 40;

struct Unit {
    std::string_view name;
    std::uint64_t size;
};

/// Largest first.
constexpr std::array<Unit, 3> units{
    {{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}}};

} // namespace

std::uint64_t parse_byte_size(std::string_view text)
{
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto unit = std::ranges::find(units, text.substr(digits), &Unit::name);
    if (digits == 0 || unit == units.end())
        throw std::invalid_argument{fmt::format(
            "{} is no size: use a whole number with KiB, MiB or GiB, e.g. 10MiB", quote(text))};

    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, count);
    if (error != std::errc{} || count > largest_byte_size / unit->size)
        throw std::invalid_argument{fmt::format("{} is too much: use at most {}", quote(text),
                                                format_byte_size(largest_byte_size))};
    if (count == 0)
        throw std::invalid_argument{
            fmt::format("{} is too little: use at least 1KiB", quote(text))};
    return count * unit->size;
}

std::string format_byte_size(std::uint64_t size)
{
    const auto unit =
        std::ranges::find_if(units, [&](const Unit& u) { return size > 0 && size % u.size == 0; });
    return unit == units.end() ? fmt::format("{}", size)
                               : fmt::format("{}{}", size / unit->size, unit->name);
}

} // namespace usher
