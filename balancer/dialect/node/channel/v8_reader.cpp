// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_reader.hpp"

#include "balancer/dialect/node/channel/v8_format.hpp"
#include "common/text/one_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace usher::node {

namespace {

constexpr char32_t replacement = 0xfffd;

constexpr bool is_high_surrogate(char32_t unit) noexcept
{
    return unit >= 0xd800 && unit < 0xdc00;
}

constexpr bool is_low_surrogate(char32_t unit) noexcept
{
    return unit >= 0xdc00 && unit < 0xe000;
}

std::string utf8(char32_t c)
{
    const auto byte = [](char32_t bits) { return static_cast<char>(bits); };
    const auto tail = [&](int shift) { return byte(0x80 | ((c >> shift) & 0x3f)); };
    if (c < 0x80)
        return {byte(c)};
    if (c < 0x800)
        return {byte(0xc0 | c >> 6), tail(0)};
    if (c < 0x10000)
        return {byte(0xe0 | c >> 12), tail(6), tail(0)};
    return {byte(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

/// How JavaScript writes it, where JSON can.
std::string number_text(double number)
{
    constexpr double exact = 9'007'199'254'740'992; // up to here every whole number is one
    if (!std::isfinite(number))
        return "null";
    if (std::abs(number) < exact && std::trunc(number) == number)
        return std::to_string(static_cast<std::int64_t>(number));
    return fmt::format("{}", number);
}

std::int32_t from_zig_zag(std::uint32_t number) noexcept
{
    return static_cast<std::int32_t>((number >> 1) ^ (0 - (number & 1)));
}

} // namespace

bool V8Reader::read_header() noexcept
{
    // Later versions have more kinds of values; those there were are written as ever.
    if (rest_.size() < 2 || rest_[0] != v8::header || rest_[1] < v8::version)
        return false;
    rest_.remove_prefix(2);
    return true;
}

V8Reader::Result V8Reader::read_json(std::string& json, std::size_t most)
{
    json_ = &json;
    most_ = most;
    return value(0);
}

bool V8Reader::find(std::string_view wanted)
{
    constexpr std::size_t most_skipped = 64UL * 1024;
    if (!skip(v8::object))
        return false;
    std::string skipped;
    json_ = &skipped;
    most_ = most_skipped;
    while (key() == Result::done) {
        if (skipped == fmt::format("\"{}\"", wanted))
            return true;
        if (value(1) != Result::done)
            return false;
        skipped.clear();
    }
    return false;
}

std::optional<std::string_view> V8Reader::read_text() noexcept
{
    const auto length = skip(v8::one_byte_text) ? varint() : std::nullopt;
    return length ? bytes(*length) : std::nullopt;
}

V8Reader::Result V8Reader::value(int depth)
{
    if (depth > deepest)
        return Result::not_plain;
    const auto kind = tag();
    if (!kind)
        return Result::malformed;
    switch (*kind) {
    case v8::null:
    case v8::undefined:
        return put("null");
    case v8::yes:
        return put("true");
    case v8::no:
        return put("false");
    case v8::int32: {
        const auto raw = varint();
        return raw ? put(std::to_string(from_zig_zag(*raw))) : Result::malformed;
    }
    case v8::uint32: {
        const auto raw = varint();
        return raw ? put(std::to_string(*raw)) : Result::malformed;
    }
    case v8::number:
        return number();
    case v8::one_byte_text:
        return one_byte_text();
    case v8::two_byte_text:
        return two_byte_text();
    case v8::object:
        return object(depth);
    case v8::dense_array:
        return dense_array(depth);
    default:
        return Result::not_plain;
    }
}

V8Reader::Result V8Reader::object(int depth)
{
    auto result = put("{");
    std::uint32_t keys = 0;
    bool is_first = true;
    for (; result == Result::done && !skip(v8::end_of_object); ++keys) {
        const auto mark = json_->size();
        result = is_first ? Result::done : put(",");
        if (result == Result::done)
            result = key();
        if (result == Result::done)
            result = put(":");
        if (result == Result::done && skip(v8::undefined)) {
            json_->resize(mark); // as JSON does
            continue;
        }
        if (result == Result::done)
            result = value(depth + 1);
        is_first = false;
    }
    if (result != Result::done)
        return result;
    return varint() == keys ? put("}") : Result::malformed;
}

/// A text, or a number that stands for one.
V8Reader::Result V8Reader::key()
{
    const auto kind = tag();
    if (kind == v8::one_byte_text)
        return one_byte_text();
    if (kind == v8::two_byte_text)
        return two_byte_text();
    if (!kind)
        return Result::malformed;
    if (kind != v8::int32 && kind != v8::uint32)
        return Result::not_plain;
    const auto raw = varint();
    if (!raw)
        return Result::malformed;
    return put(kind == v8::int32 ? fmt::format("\"{}\"", from_zig_zag(*raw))
                                 : fmt::format("\"{}\"", *raw));
}

V8Reader::Result V8Reader::dense_array(int depth)
{
    const auto length = varint();
    if (!length)
        return Result::malformed;
    auto result = put("[");
    for (std::uint32_t i = 0; i < *length && result == Result::done; ++i) {
        if (i > 0)
            result = put(",");
        if (result == Result::done)
            result = value(depth + 1); // each takes a byte, so a false length ends soon
    }
    if (result != Result::done)
        return result;
    const auto end = tag();
    if (end && *end != v8::end_of_dense)
        return Result::not_plain; // it has keys beside its elements
    return varint() == 0 && varint() == *length ? put("]") : Result::malformed;
}

V8Reader::Result V8Reader::number()
{
    double value = 0;
    const auto raw = bytes(sizeof value);
    if (!raw)
        return Result::malformed;
    std::memcpy(&value, raw->data(), sizeof value);
    return put(number_text(value));
}

V8Reader::Result V8Reader::one_byte_text()
{
    const auto length = varint();
    const auto text = length ? bytes(*length) : std::nullopt;
    if (!text)
        return Result::malformed;
    auto result = put("\"");
    for (const char c : *text) {
        if (result != Result::done)
            return result;
        result = put_character(static_cast<unsigned char>(c));
    }
    return result == Result::done ? put("\"") : result;
}

V8Reader::Result V8Reader::two_byte_text()
{
    const auto length = varint();
    const auto text = length && *length % 2 == 0 ? bytes(*length) : std::nullopt;
    if (!text)
        return Result::malformed;
    const auto unit = [&](std::size_t at) {
        std::uint16_t result = 0;
        if (at + sizeof result <= text->size())
            std::memcpy(&result, text->data() + at, sizeof result);
        return char32_t{result};
    };
    auto result = put("\"");
    for (std::size_t at = 0; at < text->size() && result == Result::done; at += 2) {
        auto c = unit(at);
        if (is_high_surrogate(c) && is_low_surrogate(unit(at + 2))) {
            at += 2;
            c = 0x10000 + ((c - 0xd800) << 10) + (unit(at) - 0xdc00);
        } else if (is_high_surrogate(c) || is_low_surrogate(c)) {
            c = replacement;
        }
        result = put_character(c);
    }
    return result == Result::done ? put("\"") : result;
}

V8Reader::Result V8Reader::put(std::string_view text)
{
    const auto room = most_ - std::min(most_, json_->size());
    *json_ += text.substr(0, room);
    return text.size() <= room ? Result::done : Result::too_long;
}

V8Reader::Result V8Reader::put_character(char32_t c)
{
    return put(escape(utf8(c)));
}

/// The next tag, taken off.
std::optional<char> V8Reader::tag() noexcept
{
    while (rest_.starts_with(v8::padding))
        rest_.remove_prefix(1);
    const auto first = bytes(1);
    return first ? std::optional{first->front()} : std::nullopt;
}

/// True if the next tag is `tag`, which is taken off then.
bool V8Reader::skip(char tag) noexcept
{
    while (rest_.starts_with(v8::padding))
        rest_.remove_prefix(1);
    if (!rest_.starts_with(tag))
        return false;
    rest_.remove_prefix(1);
    return true;
}

std::optional<std::uint32_t> V8Reader::varint() noexcept
{
    std::uint32_t result = 0;
    for (int shift = 0; shift < 32; shift += 7) {
        const auto raw = bytes(1);
        if (!raw)
            break;
        const auto byte = static_cast<unsigned char>(raw->front());
        result |= (byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0)
            return result;
    }
    return std::nullopt;
}

/// The next `count` bytes, taken off; nothing if there are fewer.
std::optional<std::string_view> V8Reader::bytes(std::size_t count) noexcept
{
    if (rest_.size() < count)
        return std::nullopt;
    const auto result = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return result;
}

} // namespace usher::node
