// SPDX-License-Identifier: MIT
#include "balancer/config/json/codec.hpp"

#include "balancer/config/units/byte_size.hpp"
#include "balancer/config/units/duration.hpp"
#include "balancer/config/units/signal_name.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <system_error>

namespace usher {

namespace {

using std::chrono::milliseconds;

template <typename Value>
Json as_json(const Value& value)
{
    return Json(value);
}

Json write_text(const std::string& text)
{
    return Json(escape_variables(text, SlotMark::refused));
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
    return {[](const JsonValue& value) { return value.text(); }, write_text};
}

Codec<std::string> slot_text()
{
    return {&JsonValue::slot_text,
            [](const std::string& text) { return Json(escape_variables(text, SlotMark::kept)); }};
}

Codec<std::string> text(const Predicate& is_good, const std::string& must, const std::string& type)
{
    const auto read = [=](const JsonValue& value) {
        auto text = value.text(type);
        if (!is_good(text))
            value.refuse(must);
        return text;
    };
    return {read, write_text};
}

template <typename Number>
Codec<Number> number(Range range, const std::string& must)
{
    const auto read = [=](const JsonValue& value) {
        return static_cast<Number>(value.integer(range.least, range.most, must));
    };
    return {read, as_json<Number>};
}

template Codec<unsigned> number(Range, const std::string&);
template Codec<int> number(Range, const std::string&);
template Codec<std::uint64_t> number(Range, const std::string&);

Codec<milliseconds> duration()
{
    return {[](const JsonValue& value) {
                return value.parsed(parse_duration, "a duration, e.g. \"30s\"");
            },
            [](milliseconds duration) { return Json(format_duration(duration)); }};
}

Codec<milliseconds> positive_duration()
{
    const auto any = duration();
    const auto read = [=](const JsonValue& value) {
        const auto duration = any.read(value);
        if (duration == duration.zero())
            value.refuse("longer than 0");
        return duration;
    };
    return {read, any.write};
}

Codec<std::uint64_t> byte_size(Range range)
{
    const auto must =
        fmt::format("a size, e.g. \"10MiB\", or from {} to {}", range.least, range.most);
    const auto read = [=](const JsonValue& value) {
        return value.is_string() && !value.is_number_by_variable()
                   ? value.parsed(parse_byte_size)
                   : static_cast<std::uint64_t>(value.integer(range.least, range.most, must));
    };
    return {read, [](std::uint64_t size) {
                return size > 0 && size % 1024 == 0 ? Json(format_byte_size(size)) : Json(size);
            }};
}

Codec<unsigned> mode_bits(std::string_view example)
{
    const auto must = fmt::format("an octal string from \"0\" to \"0777\", e.g. \"{}\"", example);
    const auto read = [=](const JsonValue& value) {
        const auto text = value.text(must);
        const char* const end = text.data() + text.size();
        unsigned bits = 0;
        const auto [rest, error] = std::from_chars(text.data(), end, bits, 8);
        if (error != std::errc{} || rest != end || bits > 0777)
            value.refuse(must);
        return bits;
    };
    return {read, [](unsigned bits) { return Json(fmt::format("{:04o}", bits)); }};
}

Codec<int> signal()
{
    return {read_signal, [](int number) { return Json(signal_text(number)); }};
}

} // namespace usher
