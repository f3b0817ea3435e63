// SPDX-License-Identifier: MIT
#include "tests/support/temp_dir.hpp"

#include "common/sys/syscall.hpp"

#include <fstream>
#include <string>
#include <system_error>

#include <stdlib.h>

namespace usher::test {

TempDir::TempDir()
{
    auto pattern = (std::filesystem::temp_directory_path() / "usher-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
        sys::throw_last_error("mkdtemp");
    path_ = pattern;
}

TempDir::~TempDir()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path TempDir::write(std::string_view name, std::string_view text) const
{
    auto file = path_ / name;
    std::ofstream{file} << text;
    return file;
}

} // namespace usher::test
