// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include "balancer/dialect/node/channel/v8_format.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace usher::node {

namespace {

using Json = nlohmann::json;

void put_varint(std::string& bytes, std::size_t value)
{
    for (; value >= 0x80; value >>= 7)
        bytes += static_cast<char>(0x80 | (value & 0x7f));
    bytes += static_cast<char>(value);
}

void put_double(std::string& bytes, double value)
{
    bytes += v8::number;
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_number(std::string& bytes, std::int64_t value)
{
    using Int32 = std::numeric_limits<std::int32_t>;
    if (value < Int32::min() || value > Int32::max())
        return put_double(bytes, static_cast<double>(value)); // all that JavaScript has
    bytes += v8::int32;
    put_varint(bytes, static_cast<std::size_t>(value < 0 ? -2 * value - 1 : 2 * value));
}

/// Follows the parser and writes what it reads.
class Writer {
public:
    /// `bytes` must outlive the writer.
    explicit Writer(std::string& bytes) : bytes_{bytes} {}

    bool null() { return put_tag(v8::null); }
    bool boolean(bool value) { return put_tag(value ? v8::yes : v8::no); }

    bool number_integer(std::int64_t value)
    {
        put_number(bytes_, value);
        return count();
    }

    bool number_unsigned(std::uint64_t value)
    {
        constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        return value <= most ? number_integer(static_cast<std::int64_t>(value))
                             : number_float(static_cast<double>(value), {});
    }

    bool number_float(double value, const std::string& /*text*/)
    {
        put_double(bytes_, value);
        return count();
    }

    bool string(std::string& value)
    {
        put_text(value);
        return count();
    }

    bool binary(const auto& /*value*/) { return false; } // JSON has none

    bool start_object(std::size_t /*size*/)
    {
        put_tag(v8::object);
        open_.emplace_back();
        return true;
    }

    bool key(std::string& value)
    {
        put_text(value);
        return true;
    }

    bool end_object()
    {
        bytes_ += v8::end_of_object;
        put_varint(bytes_, open_.back().count);
        open_.pop_back();
        return true;
    }

    bool start_array(std::size_t /*size*/)
    {
        count();
        open_.push_back({.begin = bytes_.size()});
        return true;
    }

    bool end_array()
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
        return true;
    }

    bool parse_error(const auto&... /*where, what*/) { return false; }

private:
    struct Container {
        std::size_t count = 0; ///< of its values
        std::size_t begin = 0; ///< of its bytes
    };

    bool count()
    {
        ++open_.back().count;
        return true;
    }

    bool put_tag(char tag)
    {
        bytes_ += tag;
        return count();
    }

    void put_text(std::string_view utf8)
    {
        const bool is_ascii =
            std::ranges::all_of(utf8, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
        bytes_ += is_ascii ? v8::one_byte_text : v8::utf8_text;
        put_varint(bytes_, utf8.size());
        bytes_ += utf8;
    }

    std::string& bytes_;
    std::vector<Container> open_{{}}; ///< around the value itself there is one more
};

} // namespace

std::string v8_of_json(std::string_view json)
{
    std::string result{v8::header, v8::version};
    Writer writer{result};
    [[maybe_unused]] const bool valid = Json::sax_parse(json, &writer);
    assert(valid);
    return result;
}

} // namespace usher::node
