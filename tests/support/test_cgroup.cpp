// SPDX-License-Identifier: MIT
#include "tests/support/test_cgroup.hpp"

#include "common/sys/process/cgroup.hpp"
#include "common/sys/process/own_cgroup.hpp"
#include "common/sys/syscall.hpp"
#include "tests/support/eventually.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <tuple>

#include <sys/xattr.h>
#include <unistd.h>

namespace usher::test {

namespace fs = std::filesystem;

namespace {

void write_to(const std::string& file, const char* text)
{
    std::ofstream out{file};
    out << text << std::flush;
    if (!out)
        throw std::runtime_error{file + " cannot be written"};
}

bool is_bare(const std::string& folder)
{
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator{folder, gone})
        if (entry.is_directory(gone))
            return false;
    return true;
}

} // namespace

TestCgroup::TestCgroup()
{
    static int count = 0;
    const auto own = sys::own_cgroup();
    const auto folder = own + "/test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    std::error_code error;
    if (!own.empty() && fs::create_directory(folder, error) && fs::exists(folder + "/cgroup.kill"))
        folder_ = folder;
    else
        std::ignore = sys::remove_cgroup(folder);
}

TestCgroup::~TestCgroup()
{
    if (folder_.empty())
        return;
    std::ofstream{folder_ + "/cgroup.kill"} << "1";
    if (!eventually([this] { return sys::remove_cgroup(folder_); }))
        std::fprintf(stderr, "%s cannot be removed\n", folder_.c_str());
}

bool TestCgroup::is_there() const
{
    return !folder_.empty();
}

void TestCgroup::enter() const
{
    write_to(folder_ + "/cgroup.procs", "0");
}

void TestCgroup::mark_as_delegated() const
{
    if (::setxattr(folder_.c_str(), "trusted.delegate", "1", 1, 0) < 0)
        sys::throw_last_error("trusted.delegate");
}

void TestCgroup::give_to(uid_t user) const
{
    for (const auto* const name : {"", "/cgroup.procs"})
        if (::chown((folder_ + name).c_str(), user, static_cast<gid_t>(-1)) < 0)
            sys::throw_last_error("chown");
}

bool TestCgroup::becomes_bare() const
{
    return eventually([this] { return is_bare(folder_); });
}

std::string cgroup_of(pid_t pid)
{
    std::ifstream file{"/proc/" + std::to_string(pid) + "/cgroup"};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("0::"))
            return fs::path{line.substr(3)}.filename();
    return {};
}

} // namespace usher::test
