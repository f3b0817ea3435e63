// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/core.h>

#include <optional>
#include <string_view>

/// The one log of the process: lines on standard error, one write each.  What nobody reads is lost
/// and counted: the log never waits.
///
/// Lower layers never log; the actor that decides logs once, with the object's name and numbers.
/// Never on the path of a connection.
namespace usher::log {

enum class Level { debug, info, warning, error, off };

/// `debug`, `info`, `warning`, `error`, `off`.
[[nodiscard]] std::string_view name_of(Level level) noexcept;
[[nodiscard]] std::optional<Level> level_of(std::string_view name) noexcept;

/// Starts the log.  `name` stands in every line; before this call nothing is printed.
void start(std::string_view name, Level level);

/// Prints nothing below `level` from now on.
void set_level(Level level);

void write(Level level, std::string_view text);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args)
{
    write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args)
{
    write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args)
{
    write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args)
{
    write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace usher::log
