// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <fstream>

namespace usher::test {

/// Makes `file`, empty: its being there is the word that somebody waits for.
inline void touch(const std::filesystem::path& file)
{
    const std::ofstream made{file};
}

} // namespace usher::test
