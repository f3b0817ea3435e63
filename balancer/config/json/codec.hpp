// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/json_value.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/config/units/names.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher {

using Json = nlohmann::ordered_json;

/// How a value of the configuration is read and written.
template <typename Value>
struct Codec {
    std::function<Value(const JsonValue&)> read; ///< throws ConfigError
    std::function<Json(const Value&)> write;     ///< null: there is nothing to write

    auto write_any(const Value& value) const { return write(value); }
    auto write_any(const std::optional<Value>& value) const
    {
        return value ? write(*value) : decltype(write(*value)){};
    }
};

using Predicate = std::function<bool(std::string_view)>;

[[nodiscard]] Codec<bool> boolean();
[[nodiscard]] Codec<std::string> text();

/// A string in which `${slot}` may stand, see fill_slot().
[[nodiscard]] Codec<std::string> slot_text();

/// A string that is good by `is_good`; `must` says what that means, `type` what it is.
[[nodiscard]] Codec<std::string> text(const Predicate& is_good, const std::string& must,
                                      const std::string& type = "a string");

/// A whole number: unsigned, int or std::uint64_t.  `must` says what there may be; empty: the
/// range.
template <typename Number = unsigned>
[[nodiscard]] Codec<Number> number(Range range, const std::string& must = {});

[[nodiscard]] Codec<std::chrono::milliseconds> duration();          ///< such as "30s"
[[nodiscard]] Codec<std::chrono::milliseconds> positive_duration(); ///< and not 0

/// A string with its unit, or a number of bytes in `range`.
[[nodiscard]] Codec<std::uint64_t> byte_size(Range range);

/// The bits of a file's mode as an octal string, such as `example`.
[[nodiscard]] Codec<unsigned> mode_bits(std::string_view example);

/// A signal that ends a process, by its name.
[[nodiscard]] Codec<int> signal();

/// One of `words`, or what `other` reads that is no string; `must` says what there may be.
template <typename Value>
[[nodiscard]] Codec<Value> word_or(std::vector<Named<Value>> words, Codec<Value> other,
                                   const std::string& must)
{
    const auto read = [=](const JsonValue& value) {
        if (!value.is_string())
            return other.read(value);
        const auto text = value.text();
        for (const auto& word : words)
            if (word.name == text)
                return word.value;
        if (value.is_number_by_variable())
            return other.read(value);
        value.refuse(must);
    };
    return {read, [=, write_word = text().write](const Value& value) {
                for (const auto& word : words)
                    if (word.value == value)
                        return write_word(std::basic_string(word.name)); // Json may be unknown here
                return other.write(value);
            }};
}

/// One of `names`.
template <typename Value>
[[nodiscard]] Codec<Value> choice(std::vector<Named<Value>> names)
{
    const auto must = choice_of(names);
    const auto refuse = [=](const JsonValue& value) -> Value { value.refuse(must); };
    return word_or<Value>(std::move(names), {refuse, {}}, must);
}

template <typename Value, std::size_t count>
[[nodiscard]] Codec<Value> choice(const Names<Value, count>& names)
{
    return choice<Value>(std::vector<Named<Value>>{names.begin(), names.end()});
}

template <typename Value, typename Array = Json>
[[nodiscard]] Codec<std::vector<Value>> array(Codec<Value> element, const std::string& must)
{
    const auto read = [=](const JsonValue& value) {
        std::vector<Value> values;
        for (const auto& member : value.elements(must))
            values.push_back(element.read(member));
        return values;
    };
    return {read, [=](const std::vector<Value>& values) {
                auto json = Array::array();
                for (const auto& value : values)
                    json.push_back(element.write(value));
                return json;
            }};
}

/// An object whose keys are the user's; `check` refuses those that cannot be.
template <typename Value, typename Object = Json>
[[nodiscard]] Codec<std::map<std::string, Value>>
map(Codec<Value> content, const std::function<void(std::string_view, const JsonValue&)>& check)
{
    using Map = std::map<std::string, Value>;
    const auto read = [=](const JsonValue& value) {
        Map values;
        for (const auto& [name, member] : value.entries()) {
            check(name, member);
            values.emplace(name, content.read(member));
        }
        return values;
    };
    return {read, [=](const Map& values) {
                auto json = Object::object();
                for (const auto& [name, value] : values)
                    json[name] = content.write(value);
                return json;
            }};
}

} // namespace usher
