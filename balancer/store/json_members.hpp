// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Parts of JSON as the bytes they are, for what is passed on and not read.
namespace usher {

/// Takes the members of an object one after the other.
class JsonMembers {
public:
    /// `object` must be valid JSON, and be an object.
    explicit JsonMembers(std::string_view object) noexcept;

    /// The next member, or false if there is none.
    [[nodiscard]] bool next() noexcept;

    /// Between its quotes, as it stands there.
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    /// Without blanks around it.
    [[nodiscard]] std::string_view value() const noexcept { return value_; }

private:
    void skip_blanks() noexcept;
    [[nodiscard]] std::string_view take_value() noexcept;
    [[nodiscard]] std::string_view take_string() noexcept;

    std::string_view rest_;
    std::string_view name_;
    std::string_view value_;
};

/// True if `text` is one JSON object: all of it is looked at, also that it is UTF-8, and none of it
/// kept.
[[nodiscard]] bool is_json_object(std::string_view text);

/// True if it is JSON of any kind.
[[nodiscard]] bool is_json(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

/// What the string `value`, valid JSON, says; nothing if it is no string.
[[nodiscard]] std::optional<std::string> json_text(std::string_view value);

/// `text`, UTF-8, as a JSON string with its quotes.
[[nodiscard]] std::string json_quote(std::string_view text);

} // namespace usher
