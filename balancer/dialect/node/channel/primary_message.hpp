// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace usher::node {

/// A message that is for the program of a primary, where nobody hears it.
struct PrimaryMessage {
    std::string_view kind; ///< whose it is
    std::string_view text; ///< what becomes of it, and what to do; one clause
    bool is_lost = true;   ///< for certain; else it may be meant to be shown only
};

/// What kind `text` is, a message of a program as it is shown; with `is_relayed` other workers get
/// it.  Without a kind it is well where it is.
[[nodiscard]] PrimaryMessage primary_message_of(std::string_view text, bool is_relayed) noexcept;

} // namespace usher::node
