// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string_view>

namespace usher::test {

/// A new empty folder, removed with all that is in it at the end of the scope.
class TempDir {
public:
    TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir();

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// Writes a file into it and returns its path.
    [[nodiscard]] std::filesystem::path write(std::string_view name, std::string_view text) const;

private:
    std::filesystem::path path_;
};

} // namespace usher::test
