// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace usher {

class LineWriter;

} // namespace usher

/// The one log of the process.  What nobody reads is lost in the end, and counted: the log never
/// waits.
///
/// Lower layers never log; the actor that decides logs once, with the object's name and numbers.
/// Never on the path of a connection.
namespace usher::log {

/// With the numbers of spdlog's.
enum class Level { debug = 1, info = 2, warning = 3, error = 4, off = 6 };

enum class Format {
    text, ///< for people
    json, ///< an object on each line
};

/// Starts the log.  `name` stands in every line of text; before this call nothing is printed.
/// `writer` must live until the last line.
void start(std::string_view name, Level level, Format format, LineWriter& writer);

/// Prints nothing below `level` from now on.
void set_level(Level level);

/// How lines are written from now on.
void set_format(Format format);
[[nodiscard]] Format format();

/// `context` are further members of the object in JSON, as in `"pool":"web","slot":1`.
void write(Level level, std::string_view text, std::string_view context = {});

} // namespace usher::log
