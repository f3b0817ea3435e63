// SPDX-License-Identifier: MIT
#include "balancer/config/decode_probe.hpp"

#include "balancer/config/json/decode_duration.hpp"
#include "balancer/config/units/limits.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace usher {

namespace {

/// It goes into a request line as it is, so nothing in it may end that line or a word of it.
bool is_request_character(char c) noexcept
{
    return c > ' ' && c < 0x7f;
}

std::string decode_path(const JsonValue& value)
{
    const auto must = fmt::format("a path of printable ASCII characters without blanks, at most {} "
                                  "of them, that begins with /, e.g. \"/health\"",
                                  longest_probe_path);
    auto path = value.text(must);
    if (!path.starts_with('/') || path.size() > longest_probe_path ||
        !std::ranges::all_of(path, is_request_character))
        value.refuse(must);
    return path;
}

unsigned decode_expect(const JsonValue& value)
{
    return value.number(expect_range);
}

} // namespace

ProbeConfig decode_probe(const JsonValue& value)
{
    ProbeConfig probe;
    value.read_members(
        {
            {"path", into(probe.path, decode_path)},
            {"expect", into(probe.expect, decode_expect)},
            {"timeout", into(probe.timeout, decode_positive_duration)},
        },
        "an object with \"path\"");
    if (probe.path.empty())
        value.fail("has no \"path\"; add one, e.g. \"path\": \"/health\"");
    return probe;
}

} // namespace usher
