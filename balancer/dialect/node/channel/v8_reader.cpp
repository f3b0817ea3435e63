// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_reader.hpp"

#include "balancer/dialect/node/channel/v8_cursor.hpp"
#include "balancer/dialect/node/channel/v8_format.hpp"
#include "common/text/one_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace usher::node::v8 {

namespace {

constexpr char32_t replacement = 0xfffd;

/// Which half of a character the unit is of UTF-16: 0xd800 the first, 0xdc00 the second.
constexpr char32_t half(char32_t unit) noexcept
{
    return unit & 0xfffffc00;
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

/// Reads on and does nothing more once the result is not done.
class Reader {
public:
    Reader(std::string_view bytes, std::string& json, std::size_t most) noexcept
        : cursor_{bytes}, json_{json}, most_{most}
    {
    }

    [[nodiscard]] Result result() const noexcept
    {
        return result_ == Result::done && !cursor_.is_good() ? Result::malformed : result_;
    }

    void value(int depth)
    {
        if (depth > deepest)
            return stop(Result::not_plain);
        switch (cursor_.tag()) {
        case null:
        case undefined:
            return put("null");
        case yes:
            return put("true");
        case no:
            return put("false");
        case int32:
            return put(std::to_string(from_zig_zag(cursor_.varint())));
        case uint32:
            return put(std::to_string(cursor_.varint()));
        case v8::number: {
            double number = 0;
            cursor_.bytes(sizeof number).copy(reinterpret_cast<char*>(&number), sizeof number);
            return put(number_text(number));
        }
        case one_byte_text:
            return text(1);
        case two_byte_text:
            return text(2);
        case object:
            return put_object(depth);
        case dense_array:
            return put_array(depth);
        case sparse_array:
            return put_sparse_array(depth);
        default:
            return stop(Result::not_plain);
        }
    }

private:
    void put_object(int depth)
    {
        put("{");
        const auto begin = json_.size();
        std::uint32_t keys = 0;
        for (; is_done() && !cursor_.skip(end_of_object); ++keys) {
            const auto mark = json_.size();
            if (mark > begin)
                put(",");
            key();
            put(":");
            if (cursor_.skip(undefined))
                json_.resize(mark); // as JSON does
            else
                value(depth + 1);
        }
        if (cursor_.varint() != keys)
            stop(Result::malformed);
        put("}");
    }

    /// A text, or a number that stands for one.
    void key()
    {
        switch (cursor_.tag()) {
        case one_byte_text:
            return text(1);
        case two_byte_text:
            return text(2);
        case int32:
            return put(fmt::format("\"{}\"", from_zig_zag(cursor_.varint())));
        case uint32:
            return put(fmt::format("\"{}\"", cursor_.varint()));
        default:
            return stop(Result::not_plain);
        }
    }

    void put_array(int depth)
    {
        const auto length = cursor_.varint();
        put("[");
        for (std::uint32_t i = 0; i < length && is_done(); ++i) {
            if (i > 0)
                put(",");
            if (cursor_.skip(hole))
                put("null");
            else
                value(depth + 1); // each takes a byte, so a false length ends soon
        }
        if (cursor_.tag() != end_of_dense)
            stop(Result::not_plain); // it has keys beside its elements
        if (cursor_.varint() != 0 || cursor_.varint() != length)
            stop(Result::malformed);
        put("]");
    }

    /// Of those that have holes V8 writes only what there is, with its place; so it does of every
    /// array that it has read itself, whole as it may be.  In JSON a hole is null.
    void put_sparse_array(int depth)
    {
        const auto length = cursor_.varint();
        std::uint32_t at = 0;
        std::uint32_t keys = 0;
        put("[");
        const auto put_holes_up_to = [&](std::uint32_t end) {
            for (; at < end && is_done(); ++at)
                put(at > 0 ? ",null" : "null");
        };
        for (; is_done() && !cursor_.skip(end_of_sparse); ++keys) {
            const auto place = index();
            if (!is_done())
                return;
            if (place < at || place >= length)
                return stop(Result::malformed);
            put_holes_up_to(place);
            if (at > 0)
                put(",");
            value(depth + 1);
            at = place + 1;
        }
        put_holes_up_to(length);
        if (cursor_.varint() != keys || cursor_.varint() != length)
            stop(Result::malformed);
        put("]");
    }

    /// A place in an array.
    std::uint32_t index()
    {
        switch (cursor_.tag()) {
        case int32:
            return static_cast<std::uint32_t>(from_zig_zag(cursor_.varint()));
        case uint32:
            return cursor_.varint();
        default: // a key beside its elements, or beyond what could be shown
            stop(Result::not_plain);
            return 0;
        }
    }

    /// One of Latin-1 or UTF-16, whose units have `width` bytes.
    void text(std::size_t width)
    {
        auto units = cursor_.bytes(cursor_.varint());
        if (units.size() % width != 0)
            return stop(Result::malformed);
        const auto unit = [&](std::size_t at) -> char32_t {
            if (width == 1)
                return static_cast<unsigned char>(units[at]);
            char16_t result = 0;
            units.copy(reinterpret_cast<char*>(&result), width, at);
            return result;
        };
        const auto is_plain = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
        put("\"");
        if (width == 1 && std::ranges::all_of(units, is_plain)) {
            put(units); // as most are
            units = {};
        }
        for (std::size_t at = 0; at < units.size() && is_done(); at += width) {
            auto c = unit(at);
            if (half(c) == 0xd800 && half(unit(at + width)) == 0xdc00) {
                at += width;
                c = 0x10000 + ((c - 0xd800) << 10) + (unit(at) - 0xdc00);
            } else if (half(c) == 0xd800 || half(c) == 0xdc00) {
                c = replacement;
            }
            put(escape(utf8(c)));
        }
        put("\"");
    }

    void put(std::string_view text)
    {
        if (!is_done())
            return;
        const auto room = most_ - std::min(most_, json_.size());
        json_ += text.substr(0, room);
        if (text.size() > room)
            stop(Result::too_long);
    }

    /// What stopped it first counts.
    void stop(Result reason) noexcept
    {
        if (is_done())
            result_ = reason;
    }

    [[nodiscard]] bool is_done() const noexcept { return result() == Result::done; }

    Cursor cursor_;
    std::string& json_;
    std::size_t most_;
    Result result_ = Result::done; ///< so far
};

} // namespace

std::optional<std::string_view> value_in(std::string_view payload) noexcept
{
    // Later versions have more kinds of values; those there were are written as ever.
    if (payload.size() < 2 || payload[0] != header || payload[1] < version)
        return std::nullopt;
    return payload.substr(2);
}

Result to_json(std::string_view value, std::string& json, std::size_t most)
{
    Reader reader{value, json, most};
    reader.value(0);
    return reader.result();
}

} // namespace usher::node::v8
