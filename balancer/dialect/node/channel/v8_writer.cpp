// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include "balancer/dialect/node/channel/v8_format.hpp"

#include <algorithm>
#include <limits>

namespace usher::node {

namespace {

void put_varint(std::string& bytes, std::uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        bytes += static_cast<char>(0x80 | (value & 0x7f));
    bytes += static_cast<char>(value);
}

std::uint32_t zig_zag(std::int32_t number) noexcept
{
    return (static_cast<std::uint32_t>(number) << 1) ^ static_cast<std::uint32_t>(number >> 31);
}

/// Takes the first character off `text`, which is valid UTF-8 and not empty.
char32_t take_character(std::string_view& text) noexcept
{
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    char32_t result = size == 1 ? first : first & (0x7fU >> size);
    for (const char c : text.substr(1, size - 1))
        result = result << 6 | (static_cast<unsigned char>(c) & 0x3fU);
    text.remove_prefix(std::min(size, text.size()));
    return result;
}

std::u16string utf16(std::string_view utf8)
{
    std::u16string result;
    while (!utf8.empty()) {
        const auto c = take_character(utf8);
        if (c < 0x10000) {
            result += static_cast<char16_t>(c);
            continue;
        }
        result += static_cast<char16_t>(0xd800 + ((c - 0x10000) >> 10));
        result += static_cast<char16_t>(0xdc00 + ((c - 0x10000) & 0x3ff));
    }
    return result;
}

} // namespace

V8Writer::V8Writer(std::string& bytes) : bytes_{bytes}
{
    bytes_ += v8::header;
    bytes_ += v8::version;
}

void V8Writer::begin_value()
{
    if (!open_.empty() && open_.back().is_array)
        ++open_.back().count;
}

void V8Writer::null()
{
    begin_value();
    bytes_ += v8::null;
}

void V8Writer::boolean(bool value)
{
    begin_value();
    bytes_ += value ? v8::yes : v8::no;
}

void V8Writer::number(std::int64_t value)
{
    using Int32 = std::numeric_limits<std::int32_t>;
    if (value < Int32::min() || value > Int32::max())
        return number(static_cast<double>(value)); // all that JavaScript has
    begin_value();
    bytes_ += v8::int32;
    put_varint(bytes_, zig_zag(static_cast<std::int32_t>(value)));
}

void V8Writer::number(double value)
{
    begin_value();
    bytes_ += v8::number;
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void V8Writer::text(std::string_view utf8)
{
    begin_value();
    put_text(utf8);
}

void V8Writer::put_text(std::string_view utf8)
{
    if (std::ranges::all_of(utf8, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
        bytes_ += v8::one_byte_text;
        put_varint(bytes_, static_cast<std::uint32_t>(utf8.size()));
        bytes_ += utf8;
        return;
    }
    const auto wide = utf16(utf8);
    const auto size = wide.size() * sizeof(char16_t);
    bytes_ += v8::two_byte_text;
    put_varint(bytes_, static_cast<std::uint32_t>(size));
    bytes_.append(reinterpret_cast<const char*>(wide.data()), size);
}

void V8Writer::begin_object()
{
    begin_value();
    open_.push_back({.is_array = false});
    bytes_ += v8::object;
}

void V8Writer::key(std::string_view utf8)
{
    ++open_.back().count;
    put_text(utf8);
}

void V8Writer::end_object()
{
    bytes_ += v8::end_of_object;
    put_varint(bytes_, open_.back().count);
    open_.pop_back();
}

void V8Writer::begin_array()
{
    begin_value();
    open_.push_back({.is_array = true, .begin = bytes_.size()});
}

void V8Writer::end_array()
{
    // Only now its length is known, which stands first.
    const auto array = open_.back();
    open_.pop_back();
    std::string head{v8::dense_array};
    put_varint(head, array.count);
    bytes_.insert(array.begin, head);
    bytes_ += v8::end_of_dense;
    put_varint(bytes_, 0);
    put_varint(bytes_, array.count);
}

} // namespace usher::node
