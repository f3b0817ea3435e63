// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace usher {

/// A text in which `${slot}` stands for the slot of the worker that it is filled in for.  Of the
/// dollars right before `{slot}` two stand for one, so that `$${slot}` stays `${slot}`; all else
/// stands for itself.
inline constexpr std::string_view slot_mark = "${slot}";

/// `text` with `slot` filled in.
[[nodiscard]] std::string fill_slot(std::string_view text, unsigned slot);

/// True if fill_slot() gives each slot another text.
[[nodiscard]] bool has_slot(std::string_view text);

/// The slot text that stands for `literal` whatever the slot is; with `before_slot`, also if
/// `${slot}` follows.
[[nodiscard]] std::string slot_text_of(std::string_view literal, bool before_slot = false);

} // namespace usher
