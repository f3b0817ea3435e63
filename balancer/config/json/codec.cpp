// SPDX-License-Identifier: MIT
#include "balancer/config/json/codec.hpp"

#include "balancer/config/units/byte_size.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/signal_name.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <stdexcept>
#include <system_error>

namespace usher {

namespace {

using std::chrono::milliseconds;

template <typename Value>
Json as_json(const Value& value)
{
    return Json(value);
}

/// What `parse` makes of the string; its complaint gets the place.
template <typename Parse>
auto parsed(const JsonValue& value, std::string_view must, Parse parse)
{
    const auto text = value.text(must);
    try {
        return parse(text);
    } catch (const std::invalid_argument& error) {
        value.fail(error.what());
    }
}

milliseconds read_duration(const JsonValue& value)
{
    return parsed(value, "a duration, e.g. \"30s\"", parse_duration);
}

milliseconds read_positive_duration(const JsonValue& value)
{
    const auto duration = read_duration(value);
    if (duration == duration.zero())
        value.refuse("longer than 0");
    return duration;
}

Json write_duration(milliseconds duration)
{
    return format_duration(duration);
}

std::uint64_t read_byte_size(const JsonValue& value, Range range)
{
    if (value.is_string())
        return parsed(value, "", parse_byte_size);
    const auto must =
        fmt::format("a size, e.g. \"10MiB\", or from {} to {}", range.least, range.most);
    return static_cast<std::uint64_t>(value.integer(range.least, range.most, must));
}

Json write_byte_size(std::uint64_t size)
{
    return size > 0 && size % 1024 == 0 ? Json(format_byte_size(size)) : Json(size);
}

unsigned read_mode(const JsonValue& value, std::string_view example)
{
    const auto must = fmt::format("an octal string from \"0\" to \"0777\", e.g. \"{}\"", example);
    const auto text = value.text(must);
    const char* const end = text.data() + text.size();
    unsigned bits = 0;
    const auto [rest, error] = std::from_chars(text.data(), end, bits, 8);
    if (error != std::errc{} || rest != end || bits > largest_mode)
        value.refuse(must);
    return bits;
}

int read_signal(const JsonValue& value)
{
    const auto number = signal_number(value.text("the name of a signal, e.g. \"TERM\""));
    if (!number)
        value.refuse(
            "the name of a signal that ends a process, e.g. \"TERM\", \"QUIT\" or \"ABRT\"");
    return *number;
}

} // namespace

Codec<bool> boolean()
{
    return {&JsonValue::boolean, as_json<bool>};
}

Codec<std::string> text()
{
    return {[](const JsonValue& value) { return value.text(); }, as_json<std::string>};
}

Codec<std::string> text(Predicate is_good, std::string must, std::string type)
{
    const auto read = [=](const JsonValue& value) {
        auto text = value.text(type);
        if (!is_good(text))
            value.refuse(must);
        return text;
    };
    return {read, as_json<std::string>};
}

template <typename Number>
Codec<Number> number(Range range)
{
    const auto read = [=](const JsonValue& value) {
        return static_cast<Number>(value.integer(range.least, range.most));
    };
    return {read, as_json<Number>};
}

template Codec<unsigned> number(Range);
template Codec<int> number(Range);
template Codec<std::uint64_t> number(Range);

Codec<milliseconds> duration()
{
    return {read_duration, write_duration};
}

Codec<milliseconds> positive_duration()
{
    return {read_positive_duration, write_duration};
}

Codec<std::uint64_t> byte_size(Range range)
{
    return {[=](const JsonValue& value) { return read_byte_size(value, range); }, write_byte_size};
}

Codec<unsigned> mode_bits(std::string_view example)
{
    return {[=](const JsonValue& value) { return read_mode(value, example); },
            [](unsigned bits) { return Json(fmt::format("{:04o}", bits)); }};
}

Codec<int> signal()
{
    return {read_signal, [](int number) { return Json(signal_text(number)); }};
}

} // namespace usher
