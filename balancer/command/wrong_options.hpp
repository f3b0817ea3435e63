// SPDX-License-Identifier: MIT
#pragma once

namespace CLI {
class App;
class ParseError;
} // namespace CLI

namespace usher {

/// The command that was begun, or the part of it.
[[nodiscard]] const CLI::App& last_part(const CLI::App& app);

/// Throws UsageError: which word of what `app` has parsed nothing takes, and what was probably
/// meant; or what else is wrong.  `has_separator`: there was a --, behind which words are no
/// options.
[[noreturn]] void refuse_words(const CLI::App& app, const CLI::ParseError& error,
                               bool has_separator);

} // namespace usher
