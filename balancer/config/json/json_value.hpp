// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/units/variables.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher {

/// A JSON value that knows where it stands, so that whatever is wrong with it can be said in one
/// sentence.  Every function that reads throws ConfigError if the value is not what it must be.
///
/// Borrows the document, its text and the file's name.
class JsonValue {
public:
    /// What the variables in the strings of a document stand for.
    struct Variables {
        VariableLookup value_of;
        std::string_view text; ///< of the document, to find the line that an error names
    };

    /// Without `variables`, which are borrowed, there are none, and `$` stands for itself.
    JsonValue(const nlohmann::json& json, std::string_view file,
              const Variables* variables = nullptr, std::string pointer = {});

    [[nodiscard]] bool is_string() const noexcept;
    [[nodiscard]] bool is_object() const noexcept;

    /// True for a string that is one variable and nothing else, if a whole number is its value: it
    /// may stand where a number is wanted.
    [[nodiscard]] bool is_number_by_variable() const;

    [[nodiscard]] bool boolean() const;

    /// A whole number.  `must` says what was wanted; empty: the range.
    [[nodiscard]] std::int64_t integer(std::int64_t least, std::int64_t most,
                                       std::string_view must = {}) const;

    /// A string without zero bytes, which system calls would take for its end.  `must` says what
    /// was wanted, e.g. `a duration, e.g. "30s"`.
    [[nodiscard]] std::string text(std::string_view must = "a string") const;

    /// The same where `${slot}` may stand: a slot text, see fill_slot().
    [[nodiscard]] std::string slot_text() const;

    /// What `parse` makes of a string; its complaint, a std::invalid_argument, gets the place.
    template <typename Parse>
    [[nodiscard]] auto parsed(Parse parse, std::string_view must = "a string") const
    {
        const auto string = text(must);
        try {
            return parse(string);
        } catch (const std::invalid_argument& error) {
            fail(error.what());
        }
    }

    /// The elements of an array.
    [[nodiscard]] std::vector<JsonValue> elements(std::string_view must) const;

    /// The members of an object whose keys are the user's.
    [[nodiscard]] std::vector<std::pair<std::string, JsonValue>> entries() const;

    /// Checks that this is an object that has none but the `known` keys.
    void check_keys(std::span<const std::string_view> known, std::string_view must) const;

    /// The value of `key`, if this is an object that has it.
    [[nodiscard]] std::optional<JsonValue> find(std::string_view key) const;

    /// Throws `FILE: POINTER: is 0, but must be {must}`.
    [[noreturn]] void refuse(std::string_view must) const;

    /// Throws `FILE: POINTER: unknown {what}` with the one of `known` that it probably stands for.
    [[noreturn]] void refuse_name(std::string_view what, std::string_view name,
                                  std::span<const std::string_view> known) const;

    /// Throws `FILE: POINTER: {problem}`.
    [[noreturn]] void fail(std::string_view problem) const;

    [[nodiscard]] const std::string& pointer() const noexcept { return pointer_; }

private:
    [[noreturn]] void refuse_kind(std::string_view must) const;
    [[nodiscard]] std::string description() const;
    [[nodiscard]] Expansion expanded(SlotMark slot) const;
    [[nodiscard]] std::optional<std::int64_t> number_by_variable() const;
    [[nodiscard]] std::string checked_text(std::string_view must, SlotMark slot) const;
    [[nodiscard]] JsonValue child(const std::string& key, const nlohmann::json& json) const;

    const nlohmann::json* json_;
    std::string_view file_;
    const Variables* variables_;
    std::string pointer_;
};

} // namespace usher
