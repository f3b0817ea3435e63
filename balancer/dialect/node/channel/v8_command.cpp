// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_command.hpp"

#include "balancer/dialect/node/channel/v8_cursor.hpp"
#include "balancer/dialect/node/channel/v8_format.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace usher::node::v8 {

namespace {

/// Skips values, and looks at the keys of the outermost alone.
class Search {
public:
    explicit Search(std::string_view bytes) noexcept : cursor_{bytes} {}

    [[nodiscard]] bool is_good() const noexcept { return good_ && cursor_.is_good(); }

    /// `is_message`: it is not part of another.
    void value(int depth, bool is_message)
    {
        if (depth > deepest_searched)
            return give_up();
        const auto tag = cursor_.tag();
        switch (tag) {
        case undefined:
        case null:
        case yes:
        case no:
        case hole:
        case yes_object:
        case no_object:
            return;
        case int32:
        case uint32:
        case reference:
            cursor_.varint();
            return;
        case number:
        case number_object:
        case date:
            cursor_.bytes(sizeof(double));
            return;
        case bigint:
        case bigint_object:
            cursor_.bytes(cursor_.varint() >> 1);
            return;
        case one_byte_text:
        case two_byte_text:
        case utf8_text:
            cursor_.bytes(cursor_.varint());
            return;
        case text_object:
            return value(depth + 1, false);
        case regexp:
            value(depth + 1, false);
            cursor_.varint();
            return;
        case buffer:
            cursor_.bytes(cursor_.varint());
            return;
        case wide_buffer: {
            const auto length = cursor_.varint();
            cursor_.varint();
            cursor_.bytes(length);
            return;
        }
        case map:
            return values(end_of_map, depth);
        case set:
            return values(end_of_set, depth);
        case object:
            members(end_of_object, depth, is_message);
            cursor_.varint();
            return;
        case dense_array: {
            const auto length = cursor_.varint();
            for (std::uint32_t i = 0; i < length && is_good(); ++i)
                value(depth + 1, false); // each takes a byte, so a false length ends soon
            members(end_of_dense, depth, is_message);
            cursor_.varint();
            cursor_.varint();
            return;
        }
        case sparse_array:
            cursor_.varint();
            members(end_of_sparse, depth, is_message);
            cursor_.varint();
            cursor_.varint();
            return;
        case error:
            return parts_of_error(depth);
        case host_object:
            return parts_of_host_object(depth, is_message);
        default:
            return give_up();
        }
    }

private:
    /// A text of any of the three kinds, if that comes next.
    struct Text {
        char tag = '\0';
        std::string_view units;

        /// True if it begins with `ascii`, and goes on if it `shall_go_on`, else ends there.
        [[nodiscard]] bool is(std::string_view ascii, bool shall_go_on) const
        {
            std::string expected;
            for (const char c : ascii) {
                expected += c;
                if (tag == two_byte_text)
                    expected += '\0'; // as the CPU has it
            }
            return units.starts_with(expected) && (units.size() > expected.size()) == shall_go_on;
        }
    };

    [[nodiscard]] std::optional<Text> take_text() noexcept
    {
        for (const char tag : std::array{one_byte_text, two_byte_text, utf8_text})
            if (cursor_.skip(tag))
                return Text{.tag = tag, .units = cursor_.bytes(cursor_.varint())};
        return std::nullopt;
    }

    void members(char end, int depth, bool is_message)
    {
        while (is_good() && !cursor_.skip(end)) {
            const auto key = take_text();
            if (!key)
                value(depth + 1, false); // a number
            if (!is_message || !key || !key->is("cmd", false)) {
                value(depth + 1, false);
                continue;
            }
            const auto command = take_text();
            if (!command)
                value(depth + 1, false);
            else if (command->is("NODE_", true))
                give_up();
        }
        // The number of keys, and lengths, are for whoever builds the value.
    }

    void values(char end, int depth)
    {
        while (is_good() && !cursor_.skip(end))
            value(depth + 1, false);
        cursor_.varint();
    }

    void parts_of_error(int depth)
    {
        while (is_good() && !cursor_.skip(end_of_error)) {
            const auto part = cursor_.tag();
            if (part == 'm' || part == 's' || part == 'c') // message, stack, cause
                value(depth + 1, false);
            else if (std::string_view{"ERFSTU"}.find(part) == std::string_view::npos) // its kind
                give_up();
        }
    }

    void parts_of_host_object(int depth, bool is_message)
    {
        const auto kind = cursor_.varint();
        if (kind == 1) // what it could be copied to
            return value(depth + 1, is_message);
        if (kind != 0)
            return give_up();
        cursor_.varint(); // of Buffer, Uint8Array...
        cursor_.bytes(cursor_.varint());
    }

    void give_up() noexcept { good_ = false; }

    Cursor cursor_;
    bool good_ = true;
};

} // namespace

bool is_without_command(std::string_view value)
{
    Search search{value};
    search.value(0, true);
    return search.is_good();
}

} // namespace usher::node::v8
