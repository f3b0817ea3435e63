// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

namespace usher {

enum class FileKind {
    any,
    ready,   ///< any but a FIFO that nobody writes to: it would keep whoever opens it waiting
    regular, ///< and nothing else
};

/// All of a file that says what usher is to do, up to largest_file.  May wait for a disk, or for
/// who writes a FIFO.
///
/// Throws ConfigError if it is larger, is of another kind or cannot be read, or if usher runs as
/// root and others could write it.
[[nodiscard]] std::string read_trusted_file(const std::filesystem::path& file, FileKind kind);

} // namespace usher
