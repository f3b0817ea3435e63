// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher {

/// A JSON value that knows where it stands, so that whatever is wrong with it can be said in one
/// sentence.  Every function that reads throws ConfigError if the value is not what it must be.
///
/// Borrows the document and the file's name.
class JsonValue {
public:
    /// A key an object may have, and what to do with its value.
    struct Member {
        std::string_view key;
        std::function<void(const JsonValue&)> read;
    };

    JsonValue(const nlohmann::json& json, std::string_view file, std::string pointer = {});

    [[nodiscard]] bool is_string() const noexcept;
    [[nodiscard]] bool is_object() const noexcept;

    [[nodiscard]] bool boolean() const;

    /// A whole number.  `must` says what was wanted; empty: the range.
    [[nodiscard]] std::int64_t integer(std::int64_t least, std::int64_t most,
                                       std::string_view must = {}) const;

    /// A string without zero bytes, which system calls would take for its end.  `must` says what
    /// was wanted, e.g. `a duration, e.g. "30s"`.
    [[nodiscard]] std::string text(std::string_view must = "a string") const;

    /// The elements of an array.
    [[nodiscard]] std::vector<JsonValue> elements(std::string_view must) const;

    /// The members of an object whose keys are the user's.
    [[nodiscard]] std::vector<std::pair<std::string, JsonValue>> entries() const;

    /// Reads an object whose keys are ours, in the order of `members`; refuses any other key.
    void read_members(const std::vector<Member>& members, std::string_view must) const;

    /// The value of `key`, if this is an object that has it.
    [[nodiscard]] std::optional<JsonValue> find(std::string_view key) const;

    /// Throws `FILE: POINTER: is 0, but must be {must}`.
    [[noreturn]] void refuse(std::string_view must) const;

    /// Throws `FILE: POINTER: {problem}`.
    [[noreturn]] void fail(std::string_view problem) const;

    [[nodiscard]] const std::string& pointer() const noexcept { return pointer_; }

private:
    [[nodiscard]] std::string description() const;
    [[nodiscard]] JsonValue child(const std::string& key, const nlohmann::json& json) const;

    const nlohmann::json* json_;
    std::string_view file_;
    std::string pointer_;
};

} // namespace usher
