// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// The value of a variable; nothing if it is not set.
using VariableLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// A string of the configuration with its variables filled in.
struct Expansion {
    std::string text;
    bool is_lone = false; ///< it was one variable and nothing else
};

/// What becomes of `${slot}`.
enum class SlotMark {
    refused,
    kept, ///< the result is a slot text, see fill_slot()
};

/// `text` with what `value_of` says for each `${NAME}`, and for `${NAME:-DEFAULT}` if that is not
/// set or empty; `$$` gives `$`, and any other `$` stands for itself.
///
/// Throws std::invalid_argument with what is wrong and the remedy.
[[nodiscard]] Expansion expand(std::string_view text, const VariableLookup& value_of,
                               SlotMark slot);

/// What expand() makes `text` of, whatever variables there are; with SlotMark::kept, `text` is a
/// slot text.
[[nodiscard]] std::string escape_variables(std::string_view text, SlotMark slot);

/// True if `text` has a variable in it, or what looks like one.
[[nodiscard]] bool has_variable(std::string_view text) noexcept;

} // namespace usher
